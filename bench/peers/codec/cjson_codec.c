/* cjson_codec.c - the same with cJSON: a tree is made and printed, parsed and freed.  The date stays text, which spares it the
 * calendar. */
#include <cjson/cJSON.h>
#include "codec.h"

struct all { char *b; size_t len; };

static size_t bytes(void *self) { return ((struct all *)self)->len; }

static cJSON *row(void)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "id", ROW_ID);
    cJSON_AddStringToObject(o, "name", ROW_NAME);
    cJSON_AddNumberToObject(o, "value", ROW_VALUE);
    cJSON_AddStringToObject(o, "when", ROW_WHEN);
    return o;
}

static void print(struct all *a, cJSON *o)
{
    free(a->b);
    a->b = cJSON_PrintUnformatted(o);
    if (!a->b)
        codec_fail("no memory");
    a->len = strlen(a->b);
    cJSON_Delete(o);
}

static void encode_one(void *self) { print(self, row()); }

static void encode_many(void *self)
{
    cJSON *o = cJSON_CreateObject(), *rows = cJSON_AddArrayToObject(o, "rows");
    for (int i = 0; i < MANY; i++)
        cJSON_AddItemToArray(rows, row());
    print(self, o);
}

static void look(const cJSON *o)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(o, "name"), *value = cJSON_GetObjectItemCaseSensitive(o, "value");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(o, "id"), *when = cJSON_GetObjectItemCaseSensitive(o, "when");
    if (!id || id->valuedouble != ROW_ID || !name || strlen(name->valuestring) != sizeof ROW_NAME - 1 || !value
        || value->valuedouble != ROW_VALUE || !when || strlen(when->valuestring) != sizeof ROW_WHEN - 1)
        codec_fail("another value came out");
}

static void decode_one(void *self)
{
    cJSON *o = cJSON_ParseWithLength(((struct all *)self)->b, ((struct all *)self)->len);
    look(o);
    cJSON_Delete(o);
}

static void decode_many(void *self)
{
    cJSON *o = cJSON_ParseWithLength(((struct all *)self)->b, ((struct all *)self)->len), *each;
    int n = 0;
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(o, "rows")) {
        look(each);
        n++;
    }
    if (n != MANY)
        codec_fail("another list came out");
    cJSON_Delete(o);
}

int main(int argc, char **argv)
{
    static const struct codec c = { "json", { encode_one, encode_many }, { decode_one, decode_many }, bytes };
    static struct all a;
    return codec_main(argc, argv, &c, 1, &a);
}
