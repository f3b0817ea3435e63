// SPDX-License-Identifier: MIT
#pragma once

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

namespace usher::worker::detail {

/// Operations of one kind that wait for the bus, each under a number.
///
/// Handlers run from the event loop, never inside what completes them.  Each kind of cancellation
/// takes an operation out.
template <typename... Results>
class Waiters {
public:
    using Handler =
        boost::asio::any_completion_handler<void(boost::system::error_code, Results...)>;

    explicit Waiters(boost::asio::io_context& io) noexcept : io_{io} {}

    /// `owner` is what this is a part of.
    void add(std::uint64_t key, Handler handler, std::weak_ptr<void> owner)
    {
        namespace asio = boost::asio;

        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected())
            slot.assign([this, key, owner = std::move(owner)](asio::cancellation_type /*any*/) {
                if (const auto alive = owner.lock())
                    finish(key, asio::error::operation_aborted, Results{}...);
            });
        auto executor = asio::prefer(asio::get_associated_executor(handler, io_.get_executor()),
                                     asio::execution::outstanding_work.tracked);
        waiting_.emplace(key, Waiting{std::move(handler), std::move(executor)});
    }

    [[nodiscard]] bool contains(std::uint64_t key) const { return waiting_.contains(key); }
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

    /// False if there is no such operation.
    bool complete(std::uint64_t key, boost::system::error_code error, Results... results)
    {
        const auto found = waiting_.find(key);
        if (found == waiting_.end())
            return false;
        // Not where the slot itself is the caller.
        boost::asio::get_associated_cancellation_slot(found->second.handler).clear();
        finish(key, error, std::move(results)...);
        return true;
    }

    bool fail(std::uint64_t key, boost::system::error_code error)
    {
        return complete(key, error, Results{}...);
    }

    /// Of the one that waits longest.
    void complete_first(boost::system::error_code error, Results... results)
    {
        complete(waiting_.begin()->first, error, std::move(results)...);
    }

    void fail_all(boost::system::error_code error)
    {
        while (!waiting_.empty())
            complete_first(error, Results{}...);
    }

private:
    struct Waiting {
        Handler handler;
        boost::asio::any_completion_executor executor; ///< its io_context does not end meanwhile
    };

    void finish(std::uint64_t key, boost::system::error_code error, Results... results)
    {
        auto node = waiting_.extract(key);
        if (node.empty())
            return;
        // Always by way of the event loop, and from there to where the handler wants to run: this
        // executor cannot promise to do that only later.
        boost::asio::post(io_, [waiting = std::move(node.mapped()), error,
                                results = std::tuple{std::move(results)...}]() mutable {
            const auto executor = waiting.executor;
            executor.execute([handler = std::move(waiting.handler), error,
                              results = std::move(results)]() mutable {
                std::apply([&](Results&... each) { std::move(handler)(error, std::move(each)...); },
                           results);
            });
        });
    }

    boost::asio::io_context& io_;
    std::map<std::uint64_t, Waiting> waiting_;
};

} // namespace usher::worker::detail
