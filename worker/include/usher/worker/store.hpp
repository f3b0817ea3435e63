// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/bus.hpp"
#include "usher/worker/change.hpp"
#include "usher/worker/detail/bus_core.hpp"
#include "usher/worker/detail/update_operation.hpp"
#include "usher/worker/watch.hpp"

#include <boost/asio/compose.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher::worker {

/// What a key has.
struct Value {
    std::string_view data; ///< JSON; lives until the program returns to its event loop
    std::uint64_t revision = 0;
};

/// How a key is written.
struct PutOptions {
    std::chrono::milliseconds ttl{};         ///< it goes after that time; 0: it stays
    std::optional<std::uint64_t> expected{}; ///< only if it has that revision; 0: if there is none
};

/// The small state that the workers of a pool share, of which each holds a copy.
///
///     usher::worker::Store store{bus};
///     co_await store.async_open(asio::use_awaitable);
///     const auto limit = store.get("limit"); // no system call
///     co_await store.async_put("limit", "100", {}, asio::use_awaitable);
///
/// A change shows in this copy before its operation completes; in the others a moment later, and
/// everywhere in the same order.  When the bus has ended the copy stays as it is; when it is closed
/// there is none.
class Store {
public:
    explicit Store(Bus& bus) : core_{bus.core_} {}

    /// Completes with void(error_code) when the copy is there; before that it is empty.
    template <typename Token>
    auto async_open(Token&& token)
    {
        return initiate<void(boost::system::error_code)>(
            token, [](auto& core, auto handler) { core.open_store(std::move(handler)); });
    }

    /// Of the copy: no system call, and no more work the more keys there are.
    [[nodiscard]] std::optional<Value> get(std::string_view key) const noexcept;

    /// In order; those that begin with `prefix`.
    [[nodiscard]] std::vector<std::string> keys(std::string_view prefix = {}) const;

    [[nodiscard]] std::size_t size() const noexcept
    {
        return core_->bus() != nullptr ? usher_store_count(core_->bus()) : 0;
    }

    /// Completes with void(error_code, std::uint64_t) and the revision.  BusError::conflict: the
    /// key has another revision than `expected`.
    template <typename Token>
    auto async_put(std::string_view key, std::string_view data, const PutOptions& options,
                   Token&& token)
    {
        return initiate<void(boost::system::error_code, std::uint64_t)>(
            token, [words = put(key, data, options)](auto& core, auto handler) {
                core.ask_revision(words, std::move(handler));
            });
    }

    /// Likewise; that there was none is no error.
    template <typename Token>
    auto async_erase(std::string_view key, std::optional<std::uint64_t> expected, Token&& token)
    {
        return initiate<void(boost::system::error_code, std::uint64_t)>(
            token, [words = erase(key, expected)](auto& core, auto handler) {
                core.ask_revision(words, std::move(handler));
            });
    }

    /// Adds to a whole number; what is not there counts as 0, and then alone `ttl` counts.
    /// Completes with void(error_code, std::int64_t) and the sum.
    template <typename Token>
    auto async_increment(std::string_view key, std::int64_t by, std::chrono::milliseconds ttl,
                         Token&& token)
    {
        return initiate<void(boost::system::error_code, std::int64_t)>(
            token, [words = increment(key, by, ttl)](auto& core, auto handler) {
                core.ask_value(words, std::move(handler));
            });
    }

    /// Writes what `change(std::optional<std::string_view>)` makes of the value that there is, as a
    /// std::string of JSON, and does so anew whenever another worker was quicker.  Completes as
    /// async_put() does, and has its `ttl`.
    template <typename Change, typename Token>
    auto async_update(std::string_view key, Change change, std::chrono::milliseconds ttl,
                      Token&& token)
    {
        return boost::asio::async_compose<Token, void(boost::system::error_code, std::uint64_t)>(
            detail::UpdateOperation<Store, Change>{*this, std::string{key}, std::move(change), ttl},
            token, core_->context());
    }
    template <typename Change, typename Token>
    auto async_update(std::string_view key, Change change, Token&& token)
    {
        return async_update(key, std::move(change), std::chrono::milliseconds{},
                            std::forward<Token>(token));
    }

    /// Tells each change of a key that begins with `prefix`, until the Watch is gone.  `watcher` is
    /// called from the event loop, when the copy has the change.
    [[nodiscard]] Watch watch(std::string_view prefix, std::function<void(const Change&)> watcher)
    {
        return {core_, core_->watch(std::string{prefix}, std::move(watcher))};
    }

private:
    template <typename Signature, typename Token, typename Start>
    auto initiate(Token& token, Start start)
    {
        return boost::asio::async_initiate<Token, Signature>(
            [core = core_, start = std::move(start)](auto handler) {
                start(*core, std::move(handler));
            },
            token);
    }

    [[nodiscard]] static detail::BusCore::Say put(std::string_view key, std::string_view data,
                                                  const PutOptions& options);
    [[nodiscard]] static detail::BusCore::Say erase(std::string_view key,
                                                    std::optional<std::uint64_t> expected);
    [[nodiscard]] static detail::BusCore::Say increment(std::string_view key, std::int64_t by,
                                                        std::chrono::milliseconds ttl);

    std::shared_ptr<detail::BusCore> core_;
};

} // namespace usher::worker
