// SPDX-License-Identifier: MIT
#include "balancer/output/output_reader.hpp"

#include "common/async/adopt_fd.hpp"
#include "common/async/spawn.hpp"
#include "common/sys/fd/pipe.hpp"
#include "common/sys/syscall.hpp"
#include "common/text/one_line.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace asio = boost::asio;

namespace usher {

namespace {

constexpr std::size_t bytes_per_turn = 64UL * 1024; ///< what a pipe holds
constexpr std::string_view cut_mark = " [goes on]";
constexpr std::size_t most_last_errors = 20;
constexpr std::size_t longest_last_error = 512;

} // namespace

OutputReader::Stream OutputReader::make_stream(const asio::any_io_executor& executor)
{
    auto pipe = sys::make_pipe_to_read();
    sys::let_others_write(pipe.writer); // a worker may be another user, or become one
    return {.worker_end = std::move(pipe.writer),
            .pipe = adopt_fd<asio::posix::stream_descriptor>(executor, std::move(pipe.reader)),
            .splitter = LineSplitter{}};
}

OutputReader::OutputReader(const asio::any_io_executor& executor, std::shared_ptr<LineSink> sink,
                           std::string prefix, LineSink::OnFull on_full, bool clean)
    : sink_{std::move(sink)},
      prefix_{std::move(prefix)},
      on_full_{on_full},
      clean_{clean},
      output_{make_stream(executor)},
      errors_{make_stream(executor)}
{
}

void OutputReader::start()
{
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
        while (stream.pipe.is_open() && !sink_->has_room(on_full_))
            co_await sink_->room().wait();
        // One read a turn: a worker that chatters shares the loop fairly.
        if (stream.pipe.is_open() && read_once(stream, bytes_per_turn) == 0)
            co_return; // the worker has closed its end
    }
}

/// Brings the sink the lines that `read` yields to what it is given.
template <typename Read>
void OutputReader::bring(const Stream& stream, Read read)
{
    std::string batch;
    auto on_line = [&](std::string_view line, bool cut) {
        if (&stream == &errors_) {
            if (last_errors_.size() == most_last_errors)
                last_errors_.pop_front();
            last_errors_.emplace_back(line.substr(0, longest_last_error));
        }
        batch.append(prefix_);
        if (clean_)
            batch += on_one_line(line);
        else
            batch += line;
        batch.append(cut ? cut_mark : "").append(1, '\n');
    };
    read(on_line);
    if (!batch.empty())
        sink_->write(batch, on_full_);
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
    sink_->room().notify_all(); // whoever of ours waits there sees that it is over
}

} // namespace usher
