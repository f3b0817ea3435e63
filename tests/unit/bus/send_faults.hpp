// SPDX-License-Identifier: MIT
#pragma once

namespace usher::test {

/// What sendmsg(2) does in this program, which has one thread that sends.
struct SendFaults {
    static inline int no_memory = 0; ///< so many of the next calls fail with ENOBUFS
    static inline int full = 0;      ///< how many have failed with EAGAIN
};

} // namespace usher::test
