// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/output/line_format.hpp"
#include "balancer/output/line_sink.hpp"
#include "balancer/output/line_splitter.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include <sys/types.h>

namespace usher {

/// Reads what one worker writes to its standard output and error, and brings each to its sink line
/// by line.  While that has no room nothing is read, and a worker that writes on waits; unless
/// what is too much is to be dropped.
///
/// Lives as a shared pointer: reading that is under way keeps it until finish().
class OutputReader final : public std::enable_shared_from_this<OutputReader> {
public:
    /// Makes the pipes.  The sinks of both may be one.  Throws std::system_error.
    OutputReader(const boost::asio::any_io_executor& executor, std::shared_ptr<LineSink> output,
                 std::shared_ptr<LineSink> errors, LineFormat format, LineSink::OnFull on_full);

    /// The worker's ends, until start().
    [[nodiscard]] int worker_output() const noexcept { return output_.worker_end.get(); }
    [[nodiscard]] int worker_errors() const noexcept { return errors_.worker_end.get(); }

    /// The worker has its ends, and is the process `pid`, or none has become of it: closes ours of
    /// them and reads.
    void start(pid_t pid);

    /// The worker has ended: reads all it had written by now, whether there is room or not, and
    /// nothing more.  Does not wait for others who may still hold the pipes.
    void finish();

    /// The last lines it wrote to its standard error, the oldest first; long ones are shortened.
    [[nodiscard]] const std::deque<std::string>& last_errors() const noexcept
    {
        return last_errors_;
    }

private:
    struct Stream {
        sys::UniqueFd worker_end;
        boost::asio::posix::stream_descriptor pipe;
        LineSplitter splitter;
        std::shared_ptr<LineSink> sink;
    };

    static Stream make_stream(const boost::asio::any_io_executor& executor,
                              std::shared_ptr<LineSink> sink);

    [[nodiscard]] boost::asio::awaitable<void> follow(Stream& stream);
    [[nodiscard]] std::size_t read_once(Stream& stream, std::size_t most);
    template <typename Read>
    void bring(const Stream& stream, Read read);
    void finish(Stream& stream);

    LineFormat format_;
    LineSink::OnFull on_full_;
    Stream output_;
    Stream errors_;
    std::deque<std::string> last_errors_;
};

} // namespace usher
