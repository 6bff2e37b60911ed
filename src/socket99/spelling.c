/*
** spelling.c: the edit distance between two words.
*/

#include "internal.h"


/* Case does not count. */
static bool is_same(char a, char b) {
  return strncasecmp(&a, &b, 1) == 0;
}


static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}


/*
** The number of insertions, deletions, substitutions and swaps of neighbours
** that turn `a` into `b`. It need not be exact above `limit`.
*/
size_t s99_edits(const char *a, const char *b, size_t limit) {
  size_t lines[3][S99_LONGEST_WORD + 1];
  size_t m = strlen(a), n = strlen(b), i, j;
  if (m > n + limit || n > m + limit || n > S99_LONGEST_WORD)
    return limit + 1;
  for (j = 0; j <= n; j++)
    lines[0][j] = j;
  for (i = 1; i <= m; i++) {
    size_t *now = lines[i % 3], *last = lines[(i + 2) % 3], *earlier = lines[(i + 1) % 3];
    now[0] = i;
    for (j = 1; j <= n; j++) {
      now[j] = least(least(now[j - 1], last[j]) + 1, last[j - 1] + (!is_same(a[i - 1], b[j - 1])));
      if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
        now[j] = least(now[j], earlier[j - 2] + 1);
    }
  }
  return lines[m % 3][n];
}
