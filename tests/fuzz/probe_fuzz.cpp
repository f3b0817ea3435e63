// SPDX-License-Identifier: MIT
//
// Whatever a worker answers to a probe, the probe takes it for ready only where a status of 200
// stands, and otherwise has one clause to say.
#include "balancer/worker/probe.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <utility>

#include <sys/socket.h>

using namespace usher;
using namespace usher::fuzz;

namespace {

std::shared_ptr<const PoolConfig> asking(const char* path)
{
    PoolConfig config;
    config.probe = ProbeConfig{.path = path};
    return std::make_shared<const PoolConfig>(std::move(config));
}

/// Asks once, and keeps what came of it.
struct Question {
    explicit Question(std::string_view answer)
        : probe{std::make_shared<Probe>(
              io.get_executor(), asking("/health"),
              [answer](int fd) {
                  static_cast<void>(
                      ::send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
                  return std::error_code{};
              },
              [this](bool has_passed) {
                  (has_passed ? passed : failed) = true;
                  probe->stop();
              })}
    {
        probe->start();
        io.run();
    }

    boost::asio::io_context io{1};
    std::shared_ptr<Probe> probe;
    bool passed = false;
    bool failed = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto answer = text_of(data, size);
    const Question question{answer};
    require(question.passed != question.failed);
    if (question.passed)
        require(answer.starts_with("HTTP/1.") && answer.find(" 200") != std::string_view::npos);
    else
        require(is_one_line(question.probe->failure()) && !question.probe->failure().empty());
    if (answer.starts_with("HTTP/1.1 200 OK\r\n\r\n"))
        require(question.passed);
    return 0;
}
