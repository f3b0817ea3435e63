// SPDX-License-Identifier: MIT
#include "balancer/output/output_reader.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/fd/pipe.hpp"
#include "common/sys/syscall.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr std::size_t bytes_per_turn = 64UL * 1024; ///< what a pipe holds
constexpr std::size_t most_last_errors = 20;
constexpr std::size_t longest_last_error = 512;

} // namespace

OutputReader::Stream OutputReader::make_stream(const asio::any_io_executor& executor,
                                               std::shared_ptr<LineSink> sink)
{
    auto pipe = sys::make_pipe_to_read();
    sys::let_others_write(pipe.writer); // a worker may be another user, or become one
    return {.worker_end = std::move(pipe.writer),
            .pipe = adopt_fd<asio::posix::stream_descriptor>(executor, std::move(pipe.reader)),
            .splitter = LineSplitter{},
            .sink = std::move(sink)};
}

OutputReader::OutputReader(const asio::any_io_executor& executor, std::shared_ptr<LineSink> output,
                           std::shared_ptr<LineSink> errors, LineFormat format,
                           LineSink::OnFull on_full)
    : format_{std::move(format)},
      on_full_{on_full},
      output_{make_stream(executor, std::move(output))},
      errors_{make_stream(executor, std::move(errors))}
{
}

void OutputReader::start(pid_t pid)
{
    format_.set_pid(pid);
    for (Stream* const stream : {&output_, &errors_}) {
        stream->worker_end.reset();
        spawn(stream->pipe.get_executor(), follow(*stream), shared_from_this());
    }
}

asio::awaitable<void> OutputReader::follow(Stream& stream)
{
    while (stream.pipe.is_open()) {
        co_await stream.pipe.async_wait(asio::posix::stream_descriptor::wait_read,
                                        asio::as_tuple(asio::deferred));
        while (stream.pipe.is_open() && !stream.sink->has_room(on_full_))
            co_await stream.sink->room().wait();
        // One read a turn: a worker that chatters shares the loop fairly.
        if (stream.pipe.is_open() && read_once(stream, bytes_per_turn) == 0)
            co_return; // the worker has closed its end
    }
}

/// Brings the sink the lines that `read` yields to what it is given.
template <typename Read>
void OutputReader::bring(const Stream& stream, Read read)
{
    const bool is_errors = &stream == &errors_;
    const auto head =
        format_.head(is_errors ? LineFormat::Stream::errors : LineFormat::Stream::output,
                     std::chrono::system_clock::now());
    std::string batch;
    auto on_line = [&](std::string_view line, bool cut) {
        if (is_errors) {
            if (last_errors_.size() == most_last_errors)
                last_errors_.pop_front();
            last_errors_.emplace_back(line.substr(0, longest_last_error));
        }
        format_.append(batch, head, line, cut);
    };
    read(on_line);
    if (!batch.empty())
        stream.sink->write(batch, on_full_);
}

/// The bytes read; 0 means: there will be no more.
std::size_t OutputReader::read_once(Stream& stream, std::size_t most)
{
    std::array<char, bytes_per_turn> buffer;
    const auto count = sys::retry_on_eintr([&] {
        return ::read(stream.pipe.native_handle(), buffer.data(), std::min(most, buffer.size()));
    });
    if (count < 0 && sys::last_error() == std::errc::operation_would_block)
        return most; // somebody was faster
    if (count <= 0)
        return 0;

    const std::string_view bytes{buffer.data(), static_cast<std::size_t>(count)};
    bring(stream, [&](auto& on_line) { stream.splitter.feed(bytes, on_line); });
    return static_cast<std::size_t>(count);
}

void OutputReader::finish(Stream& stream)
{
    if (!stream.pipe.is_open())
        return;
    // As much as is there now: whoever else holds the pipe could write for ever.
    int left = 0;
    ::ioctl(stream.pipe.native_handle(), FIONREAD, &left);
    for (auto bytes = static_cast<std::size_t>(left); bytes > 0;) {
        const auto count = read_once(stream, bytes);
        if (count == 0)
            break;
        bytes -= count;
    }
    bring(stream, [&](auto& on_line) { stream.splitter.finish(on_line); });

    boost::system::error_code ignored;
    stream.pipe.close(ignored);
}

void OutputReader::finish()
{
    finish(output_);
    finish(errors_);
    for (auto* const stream : {&output_, &errors_})
        stream->sink->room().notify_all(); // whoever of ours waits there sees that it is over
}

} // namespace usher
