// SPDX-License-Identifier: MIT
#include "say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int say(int control, const char* text)
{
    ssize_t sent = -1;
    do
        sent = send(control, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

int uw_say_hello(int control, unsigned max_batch)
{
    char text[80];
    snprintf(text, sizeof text, "{\"type\":\"hello\",\"protocol\":1,\"max_batch\":%u}", max_batch);
    return say(control, text);
}

int uw_say_ready(int control)
{
    return say(control, "{\"type\":\"ready\"}");
}

int uw_say_bye(int control, const char* reason)
{
    enum { longest_reason = 200 };
    char escaped[2 * longest_reason + 1];
    size_t size = 0;
    for (int i = 0; i < longest_reason && reason[i] != '\0'; ++i) {
        const char c = reason[i];
        if (c == '"' || c == '\\')
            escaped[size++] = '\\';
        escaped[size++] = (char)(c < ' ' || c > '~' ? '?' : c);
    }
    escaped[size] = '\0';

    char text[sizeof escaped + 40];
    snprintf(text, sizeof text, "{\"type\":\"bye\",\"reason\":\"%s\"}", escaped);
    return say(control, text);
}
