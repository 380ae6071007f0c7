/* The digits of a number, for the printers of this folder. */
#ifndef WASMCTL_DATA_JSON_NUMBER_H
#define WASMCTL_DATA_JSON_NUMBER_H

enum { JSON_DIGITS_LEN = 20 };
/* The fewest decimal digits (no sign, no point) that read back as |d|, d finite: |d| = 0.DIGITS * 10^(e + 1),
 * that is D.IGITS * 10^e. Returns e. */
int json_shortest_digits(double d, char out[JSON_DIGITS_LEN]);

#endif
