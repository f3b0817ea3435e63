// SPDX-License-Identifier: MIT
// A program that is linked statically and waits for a signal.
#include <unistd.h>

int main(void)
{
    for (;;)
        pause();
}
