// SPDX-License-Identifier: MIT
#pragma once

#include "common/sys/socket/socket_address.hpp"

#include <functional>
#include <string>
#include <vector>

namespace usher {

/// The listeners that a changed configuration asks of an intake, open but not accepted from yet.
/// All that can fail has been done; what is not taken over closes with this.
struct ListenerChange {
    std::vector<sys::SocketAddress> addresses; ///< those that come in, or stay
    std::vector<std::string> opens{};          ///< for people, without those that stay
    std::vector<std::string> closes{};         ///< the same

    /// What only workers can use that are started after this; then all are to be replaced, and what
    /// fails later takes nothing back.  Empty: it is the same to those that there are.
    std::function<void()> begin{};

    /// Takes over what came in, closes what is gone, and leaves the rest alone.  Once at most, and
    /// while the intake lives.  Without memory nobody hears of it; of Node's, which goes on with
    /// what waited for a larger window, it throws std::bad_alloc then.
    std::function<void()> commit;
};

} // namespace usher
