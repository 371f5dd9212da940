/* json_date.c - a time as RFC 3339 writes it, read. */
#include "type/json_dec.h"

struct scan { const char *p, *end; bool bad; };

static int number(struct scan *s, int digits)
{
    int v = 0;
    for (; digits > 0; digits--, s->p++) {
        if (s->p == s->end || *s->p < '0' || *s->p > '9') {
            s->bad = true;
            return 0;
        }
        v = v * 10 + (*s->p - '0');
    }
    return v;
}

static bool mark(struct scan *s, char c)
{
    bool is = s->p < s->end && (*s->p == c || (c >= 'A' && *s->p == c + 32));
    s->p += is;
    return is;
}

static void must(struct scan *s, char c) { s->bad |= !mark(s, c); }

/* Days from 1970-01-01.  Source: H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
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
    if (mark(s, 'Z'))
        return 0;
    bool west = mark(s, '-');
    if (!west)
        must(s, '+');
    int h = number(s, 2);
    must(s, ':');
    int m = number(s, 2);
    s->bad |= h > 23 || m > 59;
    return (west ? -1 : 1) * (h * 3600 + m * 60);
}

bool json_date_in(const char *p, size_t n, leat_date *ret)
{
    struct scan s = { p, p + n, false };
    int year = number(&s, 4);
    must(&s, '-');
    int month = number(&s, 2);
    must(&s, '-');
    int day = number(&s, 2);
    must(&s, 'T');
    int h = number(&s, 2);
    must(&s, ':');
    int m = number(&s, 2);
    must(&s, ':');
    int sec = number(&s, 2);
    uint32_t ns = mark(&s, '.') ? fraction(&s) : 0;
    int32_t off = offset(&s);
    if (s.bad || s.p != s.end || month < 1 || month > 12 || day < 1 || day > month_days(year, month) || h > 23 || m > 59 || sec > 59)
        return false;
    *ret = (leat_date){ days_of(year, month, day) * 86400 + h * 3600 + m * 60 + sec - off, ns, off };
    return true;
}
