/* What every cmocka program includes, in the order cmocka wants it. */
#ifndef WASMCTL_TESTS_UNIT_H
#define WASMCTL_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#endif
