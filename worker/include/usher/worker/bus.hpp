// SPDX-License-Identifier: MIT
#pragma once

#include "usher/worker/bus_error.hpp"
#include "usher/worker/bus_message.hpp"
#include "usher/worker/detail/bus_core.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace usher::worker {

/// What the workers of a pool tell each other.
///
///     usher::worker::Bus bus{io};
///     bus.subscribe("cache.*");
///     for (;;) {
///         const auto message = co_await bus.async_receive(asio::use_awaitable);
///         if (message.kind == Message::Kind::request)
///             bus.reply(message, answer_to(message.data));
///     }
///
/// Data is JSON, in and out as text, so that the program may use what library it likes.  Topics,
/// patterns and limits: docs/worker-protocol.md.
///
/// Like an Asio object it is for one thread at a time.  It reads from the event loop whether
/// somebody receives or not, since answers and the store's changes come the same way; 10,000
/// messages of up to 16 MiB are kept, and then the oldest are lost, as they are by the master.
///
/// **Draining.**  The bus stays open while the worker drains, so that what is being served can
/// still speak.  It keeps io_context::run() from returning until it is closed: close it when the
/// last connection is done.  When the master is gone the bus ends, and keeps nothing any more:
/// operations that wait, and all later ones, complete with asio::error::eof.
class Bus {
public:
    /// Throws std::system_error, with std::errc::no_such_file_or_directory if there is no bus
    /// because usher has not started this program, and with std::errc::device_or_resource_busy if
    /// another process of this worker has opened it.
    explicit Bus(boost::asio::io_context& io) : core_{detail::BusCore::open(io)} {}
    Bus(Bus&&) noexcept = default;
    Bus& operator=(Bus&& other) noexcept
    {
        if (this != &other) {
            close();
            core_ = std::move(other.core_);
        }
        return *this;
    }
    ~Bus() { close(); }

    /// True if there is a bus that this process has not opened yet.
    [[nodiscard]] static bool is_available() noexcept;

    /// Tells `data` to everybody who has subscribed to `topic`, this worker too.
    ///
    /// What is said returns an error if it cannot be: invalid_argument, `data` is no JSON nested at
    /// most 63 deep; message_size, it is too long; no_buffer_space, a MiB waits to be written
    /// already; broken_pipe, the bus has ended.  What the master thinks of it async_receive() tells
    /// if it is an error.
    boost::system::error_code publish(std::string_view topic, std::string_view data);

    /// Tells those workers, subscribed or not.  `topic` may be empty.
    boost::system::error_code send(const Recipient& to, std::string_view topic,
                                   std::string_view data);

    /// Answers a request, once; refuse() says why there is no answer.
    boost::system::error_code reply(const Message& request, std::string_view data);
    boost::system::error_code refuse(const Message& request, std::string_view reason);

    /// `pattern` is a topic in which `*` stands for one word, and `>` at the end for one or more.
    boost::system::error_code subscribe(std::string_view pattern);
    boost::system::error_code unsubscribe(std::string_view pattern);

    /// Likewise, and completes when the master has done it: with void(error_code), or with
    /// void(error_code, std::size_t) and how many get it.  BusError: it has not.
    template <typename Token>
    auto async_subscribe(std::string_view pattern, Token&& token)
    {
        return initiate<void(boost::system::error_code)>(
            token, [words = subscription(pattern)](auto& core, auto handler) {
                core.ask(words, std::move(handler));
            });
    }
    template <typename Token>
    auto async_publish(std::string_view topic, std::string_view data, Token&& token)
    {
        return initiate<void(boost::system::error_code, std::size_t)>(
            token, [words = publication(topic, data)](auto& core, auto handler) {
                core.ask_receivers(words, std::move(handler));
            });
    }
    template <typename Token>
    auto async_send(const Recipient& to, std::string_view topic, std::string_view data,
                    Token&& token)
    {
        return initiate<void(boost::system::error_code, std::size_t)>(
            token, [words = delivery(to, topic, data)](auto& core, auto handler) {
                core.ask_receivers(words, std::move(handler));
            });
    }

    /// The next message: completes with void(error_code, Message).  Supports every kind of
    /// cancellation; a message is then kept for the next call.
    template <typename Token>
    auto async_receive(Token&& token)
    {
        return initiate<void(boost::system::error_code, Message)>(
            token, [](auto& core, auto handler) { core.receive(std::move(handler)); });
    }

    /// Asks, and completes with void(error_code, Replies) when all have answered, or the time is
    /// over.  That nobody has answered is no error.
    template <typename Token>
    auto async_request(std::string_view topic, std::string_view data, Question question,
                       Token&& token)
    {
        return initiate<void(boost::system::error_code, Replies)>(
            token, [topic = std::string{topic}, data = std::string{data},
                    question = std::move(question)](auto& core, auto handler) {
                core.request(topic, data, question, std::move(handler));
            });
    }
    template <typename Token>
    auto async_request(std::string_view topic, std::string_view data,
                       std::chrono::milliseconds timeout, Token&& token)
    {
        Question question;
        question.timeout = timeout;
        return async_request(topic, data, std::move(question), std::forward<Token>(token));
    }

    /// Would be the pool's leader; resign() would not, or not any more.
    boost::system::error_code campaign();
    boost::system::error_code resign() { return core_->resign(); }

    /// False again when the master asks for the end of it: then stop, and resign().
    [[nodiscard]] bool is_leader() const noexcept
    {
        return core_->bus() != nullptr && usher_bus_is_leader(core_->bus()) != 0;
    }

    /// Completes with void(error_code, bool) as soon as is_leader() is another than this has told
    /// last, false at first and after resign().
    template <typename Token>
    auto async_leadership(Token&& token)
    {
        return initiate<void(boost::system::error_code, bool)>(
            token, [](auto& core, auto handler) { core.wait_for_leadership(std::move(handler)); });
    }

    /// Writes what waits as far as that needs no waiting, and closes: operations that wait complete
    /// with operation_aborted.
    void close() noexcept
    {
        if (core_)
            core_->close();
    }

private:
    friend class Store;

    template <typename Signature, typename Token, typename Start>
    auto initiate(Token& token, Start start)
    {
        return boost::asio::async_initiate<Token, Signature>(
            [core = core_, start = std::move(start)](auto handler) {
                start(*core, std::move(handler));
            },
            token);
    }

    [[nodiscard]] static detail::BusCore::Say subscription(std::string_view pattern);
    [[nodiscard]] static detail::BusCore::Say publication(std::string_view topic,
                                                          std::string_view data);
    [[nodiscard]] static detail::BusCore::Say delivery(const Recipient& to, std::string_view topic,
                                                       std::string_view data);

    std::shared_ptr<detail::BusCore> core_;
};

} // namespace usher::worker
