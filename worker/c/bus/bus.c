// SPDX-License-Identifier: MIT
#include "bus.h"

#include "bus_line.h"
#include "worker/c/failure.h"
#include "worker/c/fill.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static const char variable[] = "USHER_BUS_FD";

/// Takes the stream for this process alone, of those that have inherited it: until it closes the
/// descriptor, or ends.  -1: see uw_fail().
static int lock(int fd)
{
    struct flock other;
    do {
        other = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_SETLK, &other) == 0)
            return 0;
        if ((errno != EACCES && errno != EAGAIN) || fcntl(fd, F_GETLK, &other) < 0)
            return uw_fail(errno, "descriptor %d of %s cannot be locked: %s", fd, variable,
                           strerror(errno));
    } while (other.l_type == F_UNLCK); // who had it has just ended
    return uw_fail(EBUSY,
                   "process %d of this worker has the bus open, and two would take each other's "
                   "messages: let one of them speak for all",
                   (int)other.l_pid);
}

/// The descriptor that the master gave; -1: see uw_fail().
static int take_socket(void)
{
    const char* const text = getenv(variable);
    if (text == NULL)
        return uw_fail(ENOENT, "%s is not set: only a program that usher has started has a bus",
                       variable);
    char* end = NULL;
    errno = 0;
    const unsigned long fd = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || fd > INT_MAX)
        return uw_fail(EINVAL, "%s is \"%s\", which is no number", variable, text);
    if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return uw_fail(errno, "%s names descriptor %d, which is not open", variable, (int)fd);
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
        return uw_fail(EINVAL, "%s names descriptor %d, which is no stream socket", variable,
                       (int)fd);
    if (lock((int)fd) < 0)
        return -1;
    unsetenv(variable);
    return (int)fd;
}

/// Begins anew, whatever another process of this worker has said here, or half said.
static int say_hello(struct usher_bus* bus)
{
    uw_add_empty_line(&bus->output);
    uw_add_number(uw_begin(bus, "hello"), "protocol", 1);
    return uw_say(bus, NULL);
}

struct usher_bus* usher_bus_open(void)
{
    const int socket = take_socket();
    if (socket < 0)
        return NULL;
    struct usher_bus* const bus = calloc(1, sizeof *bus);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    // Where chance cannot be had yet, early in the boot, the address of the bus must do.
    if (bus != NULL && getrandom(bus->copy.seed, sizeof bus->copy.seed, GRND_NONBLOCK) < 0)
        bus->copy.seed[0] = (uintptr_t)bus;
    if (bus != NULL && epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) == 0) {
        bus->socket = socket;
        bus->epoll = epoll;
        if (say_hello(bus) == 0) {
            usher_bus_flush(bus);
            return bus;
        }
    }

    const int error = bus == NULL ? ENOMEM : errno;
    uw_fail(error, "the bus's event loop cannot be made: %s", strerror(error));
    if (epoll >= 0)
        close(epoll);
    close(socket);
    if (bus != NULL)
        free(bus->output.bytes);
    free(bus);
    errno = error;
    return NULL;
}

void usher_bus_close(struct usher_bus* bus)
{
    if (bus == NULL)
        return;
    usher_bus_flush(bus);
    close(bus->epoll);
    close(bus->socket);
    uw_copy_free(&bus->copy);
    free(bus->output.bytes);
    free(bus);
}

int usher_bus_fd(const struct usher_bus* bus)
{
    return bus->epoll;
}

size_t usher_bus_waiting(const struct usher_bus* bus)
{
    return bus->output.end - bus->output.begin;
}

int usher_bus_is_leader(const struct usher_bus* bus)
{
    return bus->is_leader;
}

static void watch_room(struct usher_bus* bus, bool is_wanted)
{
    if (bus->is_watching_room == is_wanted || bus->is_ended)
        return;
    struct epoll_event event = {.events = EPOLLIN | (is_wanted ? EPOLLOUT : 0)};
    epoll_ctl(bus->epoll, EPOLL_CTL_MOD, bus->socket, &event);
    bus->is_watching_room = is_wanted;
}

int usher_bus_flush(struct usher_bus* bus)
{
    int error = 0;
    if (uw_write_lines(&bus->output, bus->socket) < 0) {
        error = errno;
        if (error != EAGAIN) // nobody reads there any more, which reading will show
            bus->output.begin = bus->output.end = 0;
    }
    watch_room(bus, error == EAGAIN);
    errno = error;
    return error == 0 ? 0 : -1;
}

struct uw_output* uw_begin(struct usher_bus* bus, const char* type)
{
    uw_begin_line(&bus->output, type);
    if (bus->is_ended)
        bus->output.error = EPIPE;
    return &bus->output;
}

int uw_say(struct usher_bus* bus, uint64_t* id)
{
    if (id != NULL)
        uw_add_number(&bus->output, "id", bus->last_id + 1);
    if (uw_end_line(&bus->output) < 0)
        return -1;
    if (id != NULL)
        *id = ++bus->last_id;
    if (usher_bus_waiting(bus) >= uw_longest_read && !bus->is_watching_room)
        usher_bus_flush(bus);
    else if (!bus->is_in_turn)
        watch_room(bus, true);
    return 0;
}

/// A string of the line that was found, terminated in place.  All of the line must be read already.
static const char* text_of(struct usher_bus* bus, struct uw_text quoted)
{
    if (quoted.size == 0)
        return NULL;
    char* const text = bus->input.bytes + (quoted.at - bus->input.bytes);
    text[uw_json_unquote(quoted, text)] = '\0';
    return text;
}

static void tell_line(struct usher_bus* bus, const struct uw_line* line,
                      struct usher_bus_event* event)
{
    event->kind = (enum usher_bus_kind)line->kind;
    event->flag = line->flag;
    event->id = line->id;
    event->count = line->count;
    event->revision = line->revision;
    event->timeout_ms = line->timeout_ms;
    event->topic = text_of(bus, line->topic);
    event->from = text_of(bus, line->from);
    event->code = text_of(bus, line->code);
    event->reason = text_of(bus, line->reason);
    event->key = line->key.size > 0 ? bus->key : NULL;
    if (line->data.size > 0) {
        bus->input.bytes[line->data.at - bus->input.bytes + (ptrdiff_t)line->data.size] = '\0';
        event->data = line->data.at;
        event->data_size = line->data.size;
    }
}

/// Brings what a line says into what is known.  1: it is to be told; 0: it is not; -1: out of
/// memory, nothing is done.
static int apply(struct usher_bus* bus, const struct uw_line* line)
{
    bus->is_welcome |= line->kind == uw_line_welcome;
    if (!bus->is_welcome)
        return 0;
    struct uw_text key = {bus->key, 0};
    if (line->key.size > 0) {
        key.size = uw_json_unquote(line->key, bus->key);
        bus->key[key.size] = '\0';
    }
    switch (line->kind) {
    case uw_line_welcome:
        return 0;
    case USHER_BUS_OK:
        if ((line->id & uw_resigning) == 0)
            return 1;
        bus->heard_resigned = line->id & ~uw_resigning;
        return 0;
    case USHER_BUS_LEADER:
        // What was on its way when this worker resigned: the master has named another since.
        if (bus->heard_resigned < bus->resigned)
            return 0;
        bus->is_leader = line->flag;
        return 1;
    case uw_line_snapshot:
        uw_copy_begin(&bus->copy);
        return 0;
    case USHER_BUS_SET:
        return uw_copy_set(&bus->copy, key, line->data, line->revision);
    case USHER_BUS_ERASED:
        return uw_copy_erase(&bus->copy, key, line->revision);
    case USHER_BUS_SYNCED:
        bus->is_synced_due = uw_copy_end(&bus->copy, line->revision);
        return 0;
    default:
        return 1;
    }
}

/// What differs between two copies, and then that the new one is whole.
static bool tell_copy(struct usher_bus* bus, struct usher_bus_event* event)
{
    bool is_gone = false;
    const struct uw_entry* const entry = uw_copy_next_difference(&bus->copy, &is_gone);
    if (entry != NULL) {
        event->kind = is_gone ? USHER_BUS_ERASED : USHER_BUS_SET;
        event->key = uw_key_of(entry);
        event->data = is_gone ? NULL : uw_value_of(entry);
        event->data_size = is_gone ? 0 : entry->value_size;
        event->revision = is_gone ? bus->copy.revision : entry->revision;
        return true;
    }
    if (!bus->is_synced_due)
        return false;
    bus->is_synced_due = false;
    event->kind = USHER_BUS_SYNCED;
    event->count = bus->copy.present.count;
    event->revision = bus->copy.revision;
    return true;
}

/// 1: `event` is the next; 0: there is no whole line; -1: out of memory, the line stays the next.
static int find_event(struct usher_bus* bus, struct usher_bus_event* event)
{
    struct uw_text text;
    while (!tell_copy(bus, event)) {
        if (bus->lost > 0) {
            event->kind = USHER_BUS_LOST;
            event->count = bus->lost;
            bus->lost = 0;
            return 1;
        }
        if (!uw_find_line(&bus->input, &text))
            return 0;
        struct uw_line line;
        int result = uw_read_line(text, &line);
        if (result > 0 && line.key.size > sizeof bus->key - 1)
            result = -1;
        if (result < 0)
            bus->lost += bus->is_welcome ? 1 : 0; // somebody has said it, and it cannot be told
        else if (result > 0 && (result = apply(bus, &line)) < 0)
            return -1;
        uw_take_line(&bus->input);
        if (result > 0) {
            tell_line(bus, &line, event);
            return 1;
        }
    }
    return 1;
}

static void end(struct usher_bus* bus)
{
    epoll_ctl(bus->epoll, EPOLL_CTL_DEL, bus->socket, NULL);
    bus->is_ended = true;
    bus->is_leader = false;
    bus->output.begin = bus->output.end = 0;
}

/// Reads on, and writes.  False: there is nothing to read.
static bool turn(struct usher_bus* bus)
{
    usher_bus_flush(bus);
    // A read that was not full has taken all there was, and of what has come since the descriptor
    // tells.
    if (bus->is_ended || bus->is_drained)
        return bus->is_drained = false;
    bool is_cut = false;
    const ptrdiff_t size = uw_read(&bus->input, bus->socket, &is_cut);
    bus->lost += is_cut && bus->is_welcome ? 1 : 0;
    bus->is_drained = size > 0 && size < uw_longest_read;
    if (size == 0 || (size < 0 && errno != EAGAIN))
        end(bus);
    return size > 0 || is_cut;
}

/// 0: `event` is the next; -1 and errno.
static int next_event(struct usher_bus* bus, struct usher_bus_event* event)
{
    int found = 0;
    while ((found = find_event(bus, event)) == 0 && turn(bus)) {
    }
    if (found > 0)
        return 0;
    if (found < 0) {
        errno = ENOMEM;
        return -1;
    }
    errno = bus->is_ended ? ESHUTDOWN : EAGAIN;
    if (!bus->is_ended || bus->is_end_told)
        return -1;
    bus->is_end_told = true;
    event->kind = USHER_BUS_END;
    return 0;
}

int usher_bus_next(struct usher_bus* bus, struct usher_bus_event* event)
{
    struct usher_bus_event found = USHER_BUS_EVENT_INIT;
    const int result = next_event(bus, &found);
    bus->is_in_turn = result == 0;
    if (result == 0)
        uw_fill(event, event->size, &found, sizeof found);
    return result;
}
