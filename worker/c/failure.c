// SPDX-License-Identifier: MIT
#include "failure.h"

#include "usher.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char sentence[512];

int uw_fail(int error, const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);

    errno = error;
    return -1;
}

const char* usher_error(void)
{
    return sentence;
}
