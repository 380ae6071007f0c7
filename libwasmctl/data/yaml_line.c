/* Where in a text something stands, for messages about what the text says. */
#include <string.h>
#include <yaml.h>

#include "base/str.h"
#include "data/yaml.h"

static bool is_text(const yaml_node_t *n, const char *text)
{
    return n && n->type == YAML_SCALAR_NODE && n->data.scalar.length == strlen(text) &&
           memcmp(n->data.scalar.value, text, n->data.scalar.length) == 0;
}

static size_t line_of(yaml_document_t *doc, yaml_node_t *node, const char *const *path)
{
    size_t line = node->start_mark.line + 1;
    yaml_node_t *next = NULL;
    int64_t index;

    if (!*path)
        return line;
    if (node->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
            const yaml_node_t *key = yaml_document_get_node(doc, p->key);
            if (!is_text(key, *path))
                continue;
            line = key->start_mark.line + 1;
            next = path[1] ? yaml_document_get_node(doc, p->value) : NULL;
        }
    } else if (node->type == YAML_SEQUENCE_NODE && str_to_i64(*path, 0, INT32_MAX, &index)) {
        const yaml_node_item_t *items = node->data.sequence.items.start;
        if (index < node->data.sequence.items.top - items)
            next = yaml_document_get_node(doc, items[index]);
    }
    return next ? line_of(doc, next, path + 1) : line;
}

unsigned yaml_line(const char *text, size_t len, const char *const *path)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    size_t line = 1;

    if (!yaml_parser_initialize(&parser))
        return 1;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (yaml_parser_load(&parser, &doc)) {
        yaml_node_t *root = yaml_document_get_root_node(&doc);
        if (root)
            line = line_of(&doc, root, path);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return (unsigned)line;
}
