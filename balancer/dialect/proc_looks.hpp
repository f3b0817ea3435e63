// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/helper_looks.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace usher {

/// The looks into /proc at one worker: on helper threads, since what the kernel shows there it
/// takes from under locks that the worker may hold for as long as it likes.
class ProcLooks {
public:
    /// What `look` returns, which owns all it uses; nothing when `deadline` expires or is cancelled
    /// first, or there is no thread.  While one hangs whose deadline expired, no other thread is
    /// begun, and there is nothing at once.  Never throws.
    template <typename Look>
    [[nodiscard]] boost::asio::awaitable<std::optional<std::invoke_result_t<Look&>>>
    look(Look look, boost::asio::steady_timer& deadline)
    {
        try {
            co_return co_await looks_.look(std::move(look), deadline);
        } catch (const std::exception&) {
            co_return std::nullopt;
        }
    }

    /// True while the last look has not ended: whoever is in no hurry looks later.
    [[nodiscard]] bool is_looking() const noexcept { return looks_.is_looking(); }

private:
    HelperLooks looks_;
};

} // namespace usher
