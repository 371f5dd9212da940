/* race - asks three replicas at once, takes the first answer and lets the slow ones clean up. */
#include <stdio.h>
#include "leat.h"

struct ask { int replica; leat_dur takes; leat_tx(int) answer; _Atomic int *cleaned; };

static leat_err ask(struct ask *a)
{
    leat_err err = leat_sleep(a->takes);
    if (err != LEAT_OK)
        leat_with_shield(LEAT_S(1)) {                 /* we have lost; what follows may still wait, a second at most */
            LEAT_TRY(leat_sleep(LEAT_MS(1)));
            ++*a->cleaned;
        }
    LEAT_TRY(err);
    if (a->replica == 0)
        return leat_fail(LEAT_REFUSED, "replica 0 is down");
    return leat_try_send(a->answer, 42 * a->replica); /* there is room for one answer: whose is in it has won */
}

static leat_err app(leat_none *none)
{
    (void)none;
    leat_auto leat_chan(int) answer = leat_chan_make(int, 1);
    static const int64_t ms[] = { 0, 3600000, 2 };
    _Atomic int cleaned = 0;                          /* lent to the tasks: they end before this frame does */
    leat_err err, started = LEAT_OK;
    int v = 0;
    leat_with_race(g, err)
        for (int i = 0; i < 3 && started == LEAT_OK; i++)
            started = leat_go(&g, ask, (struct ask){ i, LEAT_MS(ms[i]), leat_tx_of(answer), &cleaned });
    LEAT_TRY(err);                                    /* nobody answered: this is the first error */
    LEAT_TRY(leat_recv(answer, &v));
    printf("the first answer is %d; %d gave up and cleaned up\n", v, cleaned);
    leat_with_race(g, err)
        started = leat_go(&g, ask, (struct ask){ 0, LEAT_MS(0), leat_tx_of(answer), &cleaned });
    printf("without the others: %s: %s\n", leat_err_name(err), leat_err_detail());
    return LEAT_OK;
}

int main(void)
{
    leat_err err = leat_run(NULL, app, LEAT_NONE);
    if (err != LEAT_OK)
        fprintf(stderr, "race: %s: %s\n", leat_err_name(err), leat_err_detail());
    return err != LEAT_OK;
}
