// SPDX-License-Identifier: MIT
#pragma once

/// Control messages to the master.  -1 and errno if one could not be sent.
int uw_say_hello(int control, unsigned max_batch);
int uw_say_ready(int control);
int uw_say_bye(int control, const char* reason);
