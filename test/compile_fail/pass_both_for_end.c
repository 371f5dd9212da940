/* Pass both ends where one is asked: leat_tx_of names the one.
 * gcc: expected .int \* \(\*\*\)\(struct leat_tx_end \*\). but argument is of type .int \* \(\*\*\)\(struct leat_both_ends \*\).
 * clang: incompatible pointer types passing .* to parameter of type 'int \*\(\*\*\)\(struct leat_tx_end \*\)' */
#include <leat.h>

void put(leat_tx(int) c);

void go(leat_chan(int) c)
{
    put(c);
}
