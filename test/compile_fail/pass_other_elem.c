/* Pass a channel of another element type.
 * gcc: expected .double \* \(\*\*\)\(struct leat_tx_end \*\). but argument is of type .int \* \(\*\*\)\(struct leat_tx_end \*\).
 * clang: incompatible pointer types passing .* to parameter of type 'double \*\(\*\*\)\(struct leat_tx_end \*\)' */
#include <leat.h>

void put(leat_tx(double) c);

void go(leat_tx(int) c)
{
    put(c);
}
