// SPDX-License-Identifier: MIT
#include "tests/support/load.hpp"

#include "tests/support/build.hpp"
#include "tests/support/http_client.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace usher::test {

namespace {

constexpr std::size_t body_size = std::size_t{16} * 1024;

/// Between two requests of a client: enough of them come all the same, and other tests want the
/// processor as well.
constexpr std::chrono::milliseconds pause{with_sanitizers ? 5 : 1};

std::string make_body(unsigned client, std::uint64_t number)
{
    auto body = std::to_string(client) + "-" + std::to_string(number) + "-";
    body.resize(body_size, static_cast<char>('a' + number % 26));
    return body;
}

void post(HttpClient& client, const std::string& body, bool close)
{
    client.send(
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n" + (close ? "Connection: close\r\n" : "") + "\r\n" + body);
}

void require(bool right, const HttpAnswer& answer)
{
    if (!right)
        throw std::runtime_error{"a wrong answer: " + answer.head};
}

} // namespace

Load::Load(std::uint16_t port, unsigned clients, Mode mode) : port_{port}
{
    for (unsigned client = 0; client < clients; ++client)
        threads_.emplace_back([this, client, mode] { run(client, mode); });
}

void Load::run(unsigned client, Mode mode)
{
    std::optional<HttpClient> connection;
    for (std::uint64_t number = 0; !stopping_; ++number) {
        std::this_thread::sleep_for(pause);
        try {
            if (mode == Mode::get) {
                const auto answer = get(port_, "/");
                require(answer.ok(), answer);
                count();
                continue;
            }
            const auto body = make_body(client, number);
            if (!connection)
                connection.emplace(port_);
            post(*connection, body, mode == Mode::new_connections);
            const auto answer = connection->read_answer();
            require(answer.ok() && answer.body == body, answer);
            count();
            if (mode == Mode::new_connections || answer.header("Connection") == "close")
                connection.reset();
        } catch (const std::exception& e) {
            connection.reset();
            const std::scoped_lock lock{mutex_};
            if (problems_++ == 0)
                first_problem_ = e.what();
            changed_.notify_all();
        }
    }
}

void Load::count()
{
    const auto now = Clock::now();
    const std::scoped_lock lock{mutex_};
    if (served_++ > 0)
        longest_gap_ = std::max(longest_gap_, now - last_answer_);
    last_answer_ = now;
    changed_.notify_all();
}

void Load::wait_for(std::uint64_t requests) const
{
    std::unique_lock lock{mutex_};
    changed_.wait(lock,
                  [this, goal = served_ + requests] { return served_ >= goal || problems_ > 0; });
}

void Load::stop()
{
    stopping_ = true;
    threads_.clear();
}

std::chrono::milliseconds Load::longest_gap() const
{
    const auto now = Clock::now();
    const std::scoped_lock lock{mutex_};
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::max(longest_gap_, now - last_answer_));
}

std::string Load::first_problem() const
{
    const std::scoped_lock lock{mutex_};
    return first_problem_;
}

} // namespace usher::test
