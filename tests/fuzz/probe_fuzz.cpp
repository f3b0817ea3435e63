// SPDX-License-Identifier: MIT
//
// Whatever a worker answers to a probe, the probe takes it for ready only where a status of 200
// stands, and otherwise has one clause to say.
#include "balancer/worker/probe.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <sys/socket.h>

using namespace usher;
using namespace usher::fuzz;

namespace {

std::shared_ptr<const ResolvedPool> asking(const char* path)
{
    ResolvedPool config;
    config.probe = ProbeConfig{.path = path};
    return std::make_shared<const ResolvedPool>(std::move(config));
}

/// Asks once, and keeps what came of it.
struct Question {
    explicit Question(std::string_view answer)
    {
        boost::asio::io_context io{1};
        boost::asio::cancellation_signal end;
        boost::asio::co_spawn(
            io,
            probe(
                asking("/health"),
                [answer](int fd) {
                    static_cast<void>(
                        ::send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
                    return std::error_code{};
                },
                [this, &io, &end](std::string reason) {
                    failure = std::move(reason);
                    boost::asio::post(
                        io, [&end] { end.emit(boost::asio::cancellation_type::terminal); });
                }),
            boost::asio::bind_cancellation_slot(end.slot(), [](const std::exception_ptr& error) {
                if (error)
                    std::rethrow_exception(error);
            }));
        io.run();
    }

    std::optional<std::string> failure;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto answer = text_of(data, size);
    const Question question{answer};
    require(question.failure.has_value());
    const bool passed = question.failure->empty();
    if (passed)
        require(answer.starts_with("HTTP/1.") && answer.find(" 200") != std::string_view::npos);
    else
        require(is_one_line(*question.failure));
    if (answer.starts_with("HTTP/1.1 200 OK\r\n\r\n"))
        require(passed);
    return 0;
}
