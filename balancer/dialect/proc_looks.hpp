// SPDX-License-Identifier: MIT
#pragma once

#include "common/async/helper_thread.hpp"

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
        if (!given_up_.expired())
            co_return std::nullopt;
        auto mark = std::make_shared<const Mark>(); // lives as long as the thread
        std::weak_ptr<const Mark> under_way = last_ = mark;
        auto marked = [look = std::move(look), mark = std::move(mark)]() mutable { return look(); };
        try {
            auto answer = co_await on_helper_thread(std::move(marked), deadline);
            // One that was only called off, because something happened, need not hang.
            if (!answer && deadline.expiry() <= boost::asio::steady_timer::clock_type::now())
                given_up_ = std::move(under_way);
            co_return answer;
        } catch (const std::exception&) {
            co_return std::nullopt;
        }
    }

    /// True while the last look has not ended: whoever is in no hurry looks later.
    [[nodiscard]] bool is_looking() const noexcept { return !last_.expired(); }

private:
    struct Mark {};

    std::weak_ptr<const Mark> last_;
    std::weak_ptr<const Mark> given_up_; ///< empty, or ended when the look has
};

} // namespace usher
