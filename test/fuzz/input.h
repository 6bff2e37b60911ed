/*
** input.h: the bytes that libFuzzer chose, read from the front.
**
** Whoever reads on past their end gets zeros, so every input means something,
** and a shorter one means less.
*/
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
  const uint8_t *next;
  size_t left;
};


static inline uint8_t input_byte(struct input *input) {
  if (input->left == 0)
    return 0;
  input->left--;
  return *input->next++;
}


/* Below `limit`, which is at most 256. */
static inline unsigned int input_below(struct input *input, unsigned int limit) {
  return input_byte(input) % limit;
}


static inline void input_copy(struct input *input, void *to, size_t size) {
  size_t there = size < input->left ? size : input->left;
  memset(to, 0, size);
  memcpy(to, input->next, there);
  input->next += there;
  input->left -= there;
}


static inline uint32_t input_u16(struct input *input) {
  uint16_t number;
  input_copy(input, &number, sizeof(number));
  return number;
}


static inline uint32_t input_u32(struct input *input) {
  uint32_t number;
  input_copy(input, &number, sizeof(number));
  return number;
}


/* The next bytes as they lie there, at most `most`; *size tells how many. */
static inline const uint8_t *input_take(struct input *input, size_t most, size_t *size) {
  const uint8_t *bytes = input->next;
  *size = most < input->left ? most : input->left;
  input->next += *size;
  input->left -= *size;
  return bytes;
}


/* The next `size` bytes as an input of their own. */
static inline struct input input_part(struct input *input, size_t size) {
  struct input part;
  part.next = input_take(input, size, &part.left);
  return part;
}

#endif
