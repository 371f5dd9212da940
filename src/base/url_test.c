/* url_test.c - what an address may look like, and what is said of one that does not. */
#include "base/url.h"
#include "t.h"

static struct url parsed(const char *text)
{
    struct url u;
    const char *why = url_parse(text, &u);
    if (why)
        t_fail(__FILE__, __LINE__, "%s: %s", text, why);
    return u;
}

static const char *wrong(const char *text)
{
    struct url u = { .port = 7 };
    const char *why = url_parse(text, &u);
    CHECK_EQ(u.port, 7);
    return why;
}

static const char *again(const char *text)
{
    static char buf[URL_TEXT_MAX];
    struct url u = parsed(text);
    CHECK(url_text(&u, buf, sizeof buf) < sizeof buf);
    return buf;
}

TEST(a_tcp_address_has_host_and_port)
{
    struct url u = parsed("tcp://localhost:8080");
    CHECK_EQ(u.kind, URL_TCP);
    CHECK_STR(u.host, "localhost");
    CHECK_EQ(u.port, 8080);
    CHECK(!u.v6);
    u = parsed("tcp:*:0");
    CHECK_STR(u.host, "*");
    CHECK_EQ(u.port, 0);
}

TEST(an_ipv6_address_stands_in_brackets)
{
    struct url u = parsed("tcp://[::1]:65535");
    CHECK(u.v6);
    CHECK_STR(u.host, "::1");
    CHECK_EQ(u.port, 65535);
    CHECK_HAS(wrong("tcp://::1:80"), "brackets");
    CHECK_HAS(wrong("tcp://[::1:80"), "without its ]");
    CHECK_HAS(wrong("tcp://[::1]80"), "no port");
}

TEST(a_unix_address_is_a_path_or_an_abstract_name)
{
    CHECK_STR(parsed("unix:/tmp/x").path, "/tmp/x");
    CHECK_STR(parsed("unix:///tmp/x").path, "/tmp/x");
    CHECK_STR(parsed("unix:@x").path, "@x");
    CHECK_HAS(wrong("unix:x"), "begins with /");
    CHECK_HAS(wrong("unix:@"), "no name");
    CHECK_HAS(wrong("unix:/"), "no name");
    char longer[128] = "unix:/";
    memset(longer + 6, 'x', 107);
    CHECK_HAS(wrong(longer), "107");
    longer[6 + 106] = 0;
    CHECK_EQ(strlen(parsed(longer).path), 107);
}

TEST(what_is_wrong_is_said)
{
    CHECK_HAS(wrong(""), "scheme");
    CHECK_HAS(wrong("localhost"), "scheme");
    CHECK_HAS(wrong("TCP://localhost:1"), "scheme");
    CHECK_HAS(wrong("averyveryverylongscheme:x"), "too long");
    CHECK_HAS(wrong("tcp://localhost"), "no port");
    CHECK_HAS(wrong("tcp://localhost:"), "no port");
    CHECK_HAS(wrong("tcp://localhost:http"), "not a number");
    CHECK_HAS(wrong("tcp://localhost:65536"), "65535");
    CHECK_HAS(wrong("tcp://localhost:99999999999999999999"), "65535");
    CHECK_HAS(wrong("tcp://:80"), "no host");
    CHECK_HAS(wrong("tcp://a/b:80"), "character");
    CHECK_HAS(wrong("tcp://a b:80"), "character");
}

TEST(another_scheme_is_left_to_others)
{
    struct url u = parsed("inproc:x");
    CHECK_EQ(u.kind, URL_OTHER);
    CHECK_STR(u.scheme, "inproc");
}

TEST(an_address_is_written_in_one_form)
{
    CHECK_STR(again("tcp:localhost:1"), "tcp://localhost:1");
    CHECK_STR(again("tcp://[::1]:1"), "tcp://[::1]:1");
    CHECK_STR(again("unix:///tmp/x"), "unix:/tmp/x");
    CHECK_STR(again("unix:@x"), "unix:@x");
}

T_MAIN()
