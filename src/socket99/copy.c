/*
** copy.c: copies a configuration and everything it points to into one block.
**
** The same code runs twice: first without memory, to compute the size, then to
** copy.
*/

#include "internal.h"


struct block {
  char *at; /* NULL while counting */
  size_t used;
};


/* Everything is aligned, because an option's bytes may be an int. */
static void *put(struct block *block, const void *bytes, size_t length) {
  size_t first = (block->used + sizeof(long long) - 1) / sizeof(long long) * sizeof(long long);
  block->used = first + length;
  if (block->at == NULL)
    return NULL;
  return length > 0 ? memcpy(block->at + first, bytes, length) : block->at + first;
}


static void *put_text(struct block *block, const char *text) {
  return text == NULL ? NULL : put(block, text, strlen(text) + 1);
}


/* A path with a length may contain NULs and need not end in one. */
static void *put_path(struct block *block, const char *path, size_t length) {
  if (path == NULL || length == 0)
    return put_text(block, path);
  return put(block, path, length);
}


static void put_value(struct block *block, const socket99_value *value, socket99_value *out) {
  *out = *value;
  out->bytes = NULL;
  out->group = out->interface = out->source = NULL;
  if (value->kind == SOCKET99_BYTES && value->bytes != NULL)
    out->bytes = put(block, value->bytes, value->length);
  if (value->kind == SOCKET99_MEMBERSHIP) {
    out->group = put_text(block, value->group);
    out->interface = put_text(block, value->interface);
    out->source = put_text(block, value->source);
  }
}


static void put_options(struct block *block, const socket99_config *cfg, socket99_config *out) {
  socket99_option *options;
  size_t i;
  if (cfg->options == NULL)
    return;
  options = put(block, cfg->options, cfg->option_count * sizeof(*options));
  for (i = 0; i < cfg->option_count; i++) {
    socket99_option option = cfg->options[i];
    option.name = put_text(block, cfg->options[i].name);
    put_value(block, &cfg->options[i].value, &option.value);
    if (options != NULL)
      options[i] = option;
  }
  out->options = options;
}


static void put_config(struct block *block, const socket99_config *cfg, socket99_config *out) {
  size_t i;
  *out = *cfg;
  out->host = put_text(block, cfg->host);
  out->ipv4 = put_text(block, cfg->ipv4);
  out->ipv6 = put_text(block, cfg->ipv6);
  out->service = put_text(block, cfg->service);
  out->bind_host = put_text(block, cfg->bind_host);
  out->path = put_path(block, cfg->path, cfg->path_len);
  out->bind_path = put_path(block, cfg->bind_path, cfg->bind_path_len);
  for (i = 0; i < SOCKET99_MAX_SOCK_OPTS && cfg->sockopts[i].option_id != 0; i++) {
    const socket99_sockopt *option = &cfg->sockopts[i];
    if (option->value != NULL)
      out->sockopts[i].value = put(block, option->value, option->value_len);
  }
  put_options(block, cfg, out);
}


socket99_config *s99_copy_config(const socket99_config *cfg) {
  struct block block = {NULL, sizeof(socket99_config)};
  socket99_config counted, *copy;
  put_config(&block, cfg, &counted);
  copy = malloc(block.used);
  if (copy == NULL)
    return NULL;
  block.at = (char *)copy;
  block.used = sizeof(*copy);
  put_config(&block, cfg, copy);
  return copy;
}
