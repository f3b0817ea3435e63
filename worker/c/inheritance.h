// SPDX-License-Identifier: MIT
#pragma once

#include "page.h"
#include "usher.h"

/// What the master gave to this process.  The descriptors are the owner's to close, `page` to
/// unmap, the pool's name to free.
struct uw_inheritance {
    int handoff;
    int control;
    struct uw_page* page;
    struct usher_identity identity;
};

/// Takes over what the master gave, once: the descriptors become close-on-exec, the variables are
/// removed.  1: done; 0: there is no master; -1: what is there is damaged, see uw_fail().
int uw_take_inheritance(struct uw_inheritance* inheritance);
