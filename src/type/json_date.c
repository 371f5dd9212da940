/* json_date.c - a time as RFC 3339 writes it, read. */
#include "type/json_dec.h"

struct scan { const char *p, *end; bool bad; };

/* two digits at p */
static inline int two(struct scan *s, const char *p)
{
    unsigned tens = (unsigned)p[0] - '0', ones = (unsigned)p[1] - '0';
    s->bad |= tens > 9 || ones > 9;
    return (int)((tens & 15) * 10 + (ones & 15));
}

/* Days from 1970-01-01.  Source: H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil. */
static int days_of(int year, int month, int day)
{
    int y = year + 400 - (month <= 2), era = y / 400, yoe = y % 400;               /* an era more, so that nothing is negative */
    int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (era - 1) * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int month_days(int year, int month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Digits behind a point: the first nine count. */
static uint32_t fraction(struct scan *s)
{
    uint32_t ns = 0;
    int n = 0;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, n++)
        ns = n < 9 ? ns * 10 + (uint32_t)(*s->p - '0') : ns;
    s->bad |= n == 0;
    for (; n < 9; n++)
        ns *= 10;
    return ns;
}

static int32_t offset(struct scan *s)
{
    const char *p = s->p;
    if (s->end - p == 1 && (*p | 32) == 'z')
        return 0;
    if (s->end - p != 6 || (*p != '-' && *p != '+') || p[3] != ':') {
        s->bad = true;
        return 0;
    }
    int h = two(s, p + 1), m = two(s, p + 4);
    s->bad |= h > 23 || m > 59;
    return (*p == '-' ? -1 : 1) * (h * 3600 + m * 60);
}

bool json_date_in(const char *p, size_t n, leat_date *ret)
{
    struct scan s = { p + 19, p + n, false };        /* YYYY-MM-DDTHH:MM:SS, and a zone at least */
    if (n < 20 || p[4] != '-' || p[7] != '-' || (p[10] | 32) != 't' || p[13] != ':' || p[16] != ':')
        return false;
    int year = two(&s, p) * 100 + two(&s, p + 2), month = two(&s, p + 5), day = two(&s, p + 8);
    int h = two(&s, p + 11), m = two(&s, p + 14), sec = two(&s, p + 17);
    if (s.bad || month < 1 || month > 12 || day < 1 || (day > 28 && day > month_days(year, month)) || h > 23 || m > 59 || sec > 59)
        return false;
    uint32_t ns = 0;
    if (*s.p == '.') {
        s.p++;
        ns = fraction(&s);
    }
    int32_t off = offset(&s);
    *ret = (leat_date){ (int64_t)days_of(year, month, day) * 86400 + h * 3600 + m * 60 + sec - off, ns, off };
    return !s.bad;
}
