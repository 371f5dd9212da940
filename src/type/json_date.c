/* json_date.c - a time as RFC 3339 writes it, read. */
#include "type/json_dec.h"
#include "base/buf.h"

/* Two digits at p; *bad becomes other than 0 when they are none. */
static inline int two(const char *p, unsigned *bad)
{
    unsigned tens = (unsigned)(uint8_t)p[0] - '0', ones = (unsigned)(uint8_t)p[1] - '0';
    *bad |= (tens > 9) | (ones > 9);
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

/* Eight characters, the first one lowest, less those of a pattern: whether each is at most 9, and 0 where `marks` has bits. */
static inline bool digits_only(uint64_t x, uint64_t marks)
{
    return ((x | (x + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080)) == 0 && (x & marks) == 0;
}

static inline uint64_t eight(const char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return le64(x);
}

/* Eight such digits as one number.  Source: D. Lemire, "Quickly parsing eight digits", 2018. */
static inline uint32_t number_of(uint64_t x)
{
    x = x * 10 + (x >> 8);
    return (uint32_t)(((x & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064)
        + ((x >> 16) & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >> 32);
}

/* Digits behind a point: the first nine count. */
static inline const char *fraction(const char *p, const char *end, uint32_t *ret)
{
    static const uint32_t scale[] = { 1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1 };
    const char *from = p;
    uint32_t ns = 0;
    size_t n;
    if (end - p >= 8 && digits_only(eight(p) ^ UINT64_C(0x3030303030303030), 0)) {
        ns = number_of(eight(p) ^ UINT64_C(0x3030303030303030));
        p += 8;
    }
    for (; p < end && (uint8_t)(*p - '0') <= 9; p++)
        if (p - from < 9)
            ns = ns * 10 + (uint32_t)(*p - '0');
    n = (size_t)(p - from);
    *ret = ns * scale[MIN(n, (size_t)9)];
    return n > 0 ? p : NULL;
}

/* What is from p to the end is a zone. */
static inline bool offset(const char *p, const char *end, int32_t *ret)
{
    unsigned bad = 0;
    *ret = 0;
    if (end - p == 1)
        return (*p | 32) == 'z';
    if (end - p != 6 || (*p != '-' && *p != '+') || p[3] != ':')
        return false;
    int h = two(p + 1, &bad), m = two(p + 4, &bad), s = h * 3600 + m * 60;
    *ret = *p == '-' ? -s : s;
    return !bad && h <= 23 && m <= 59;
}

struct parts { int year, month, day, h, m, s; };

/* YYYY-MM-DDTHH:MM:SS at p, digits and marks as they should be; false: they are not. */
static inline bool parts_of(const char *p, struct parts *d)
{
    unsigned bad = 0;
    uint64_t a = eight(p) ^ UINT64_C(0x2d30302d30303030), b = eight(p + 8) ^ UINT64_C(0x30303a3030543030);     /* 0000-00- 00T00:00 */
    if ((p[10] | 32) == 't')
        b &= ~UINT64_C(0xff0000);
    if (!digits_only(a, UINT64_C(0xff0000ff00000000)) || !digits_only(b, UINT64_C(0x0000ff0000ff0000)) || p[16] != ':')
        return false;
    a = a * 10 + (a >> 8);                           /* each two digits that follow each other, in the place of the first */
    b = b * 10 + (b >> 8);
    *d = (struct parts){ (int)(a & 255) * 100 + (int)(a >> 16 & 255), (int)(a >> 40 & 255), (int)(b & 255), (int)(b >> 24 & 255),
        (int)(b >> 48 & 255), two(p + 17, &bad) };
    return !bad;
}

bool json_date_in(const char *p, size_t n, leat_date *ret)
{
    const char *end = p + n, *at = p + 19;
    struct parts d;
    if (n < 20 || !parts_of(p, &d))                  /* and a zone at least */
        return false;
    if (d.month < 1 || d.month > 12 || d.day < 1 || (d.day > 28 && d.day > month_days(d.year, d.month)) || d.h > 23 || d.m > 59 || d.s > 59)
        return false;
    uint32_t ns = 0;
    int32_t off;
    if (*at == '.' && !(at = fraction(at + 1, end, &ns)))
        return false;
    if (!offset(at, end, &off))
        return false;
    *ret = (leat_date){ (int64_t)days_of(d.year, d.month, d.day) * 86400 + d.h * 3600 + d.m * 60 + d.s - off, ns, off };
    return true;
}
