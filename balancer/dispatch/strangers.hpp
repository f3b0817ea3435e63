// SPDX-License-Identifier: MIT
#pragma once

namespace usher {

/// Which other users have to do with the connections of a pool.  They could have us wait where we
/// close one: see close_elsewhere().
enum class Strangers {
    none,
    unix_clients, ///< who may have sent descriptors along, which go with the connection
    workers,      ///< who have had it in their hands, whosever it is
};

} // namespace usher
