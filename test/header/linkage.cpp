// linkage.cpp - descriptions within extern "C", as a header of C has them, in a namespace, and of a struct of other code in a namespace.
#include <leat.h>
extern "C" {
LEAT_ENUM(colour, (cyan, 0), (pink, 1));
LEAT_STRUCT(in_c, (int64, n), (enum(colour), c, .tag = 3), (list(in_c), more));
}
namespace theirs {
class place { public: double x, y; const char *label() const { return "place"; } };
}
namespace ours {
LEAT_STRUCT(in_c, (string, s), (array(int16_t, 3), at));
LEAT_STRUCT(holder, (struct(in_c), one), (map(in_c), many), (tx(holder), out));
LEAT_DESCRIBE_AS(place, theirs::place, (float64, x), (float64, y));
LEAT_SERVICE(geo, (find, in_c, place));
leat_err find(void *, const struct in_c *in, theirs::place *out);
leat_err find(void *, const struct in_c *in, theirs::place *out)
{
    out->x = in->at[0];
    return leat_drop(in_c, nullptr), LEAT_OK;
}
constexpr geo_impl impl = { find };
static_assert(impl.find == find, "a table of methods is a constant");
static_assert(place_type.count == 2 && place_fields[1].offset == 8, "a description is a constant");
}
static_assert(in_c_type.kind == LEAT_K_STRUCT_ && ours::in_c_type.fields == ours::in_c_fields && in_c_fields[1].tag == 3, "each its own");
