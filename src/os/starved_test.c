/* starved_test.c - what this floor starts and that finds no memory for a stack.  The resolver is this file's own: getaddrinfo below. */
#include <netdb.h>
#include <netinet/in.h>
#include "starve.h"

/* Two addresses of this host, at a port where nobody listens. */
int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
    struct addrinfo **restrict ret)
{
    static struct sockaddr_in at[2];
    static struct addrinfo info[2];
    (void)host, (void)service, (void)hints;
    for (int i = 0; i < 2; i++) {
        at[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0x7f000002 + (uint32_t)i) };
        info[i] = (struct addrinfo){ .ai_family = AF_INET, .ai_addr = (struct sockaddr *)(void *)&at[i], .ai_addrlen = sizeof at[i],
            .ai_next = i == 0 ? &info[1] : NULL };
    }
    *ret = info;
    return 0;
}
void freeaddrinfo(struct addrinfo *a) { (void)a; }

static leat_err starved_race(leat_none *none)
{
    struct full f = { 0 };
    leat_conn *c = NULL;
    (void)none;
    fill(&f);
    CHECK_EQ(leat_dial("tcp://two.test:1", &c), LEAT_NOMEM);
    empty(&f);
    CHECK_EQ(leat_dial("tcp://two.test:1", &c), LEAT_REFUSED);
    CHECK(!c);
    return LEAT_OK;
}
TEST(a_dial_of_several_addresses_that_finds_no_stack_is_an_error) { starve_run(INPROC, starved_race); }

T_MAIN()
