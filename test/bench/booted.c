/*
 * booted: a proc that is linked with the library, as small as they get, which is
 * the example.
 */
#include "../../doc/examples/echo.c"
