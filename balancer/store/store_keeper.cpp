// SPDX-License-Identifier: MIT
#include "balancer/store/store_keeper.hpp"

#include "balancer/store/store_record.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/spawn.hpp"

#include <fmt/core.h>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace asio = boost::asio;

namespace usher {

namespace {

/// What is written with one fdatasync(2), and what may wait for it: a disk may hang.
constexpr std::size_t most_bytes_at_once = 256UL * 1024;
constexpr std::size_t most_waiting_bytes = 16UL * 1024 * 1024;

/// With a file that cannot be written.
constexpr std::chrono::seconds retry_interval{1};

std::size_t bytes_of(const Store::Command& command)
{
    constexpr std::size_t each = 128; // about what it takes besides
    return command.key.size() + command.value.size() + each;
}

} // namespace

StoreKeeper::StoreKeeper(const asio::any_io_executor& executor, const StoreConfig& limits)
    : store_{limits}, expiry_{executor}
{
}

void StoreKeeper::adopt(std::shared_ptr<StoreFile> file)
{
    file_ = std::move(file);
    for (const auto& change : file_->take_changes())
        store_.restore(change);
    wait_for_expiry();
}

void StoreKeeper::submit(Store::Command command, Done done)
{
    if (is_closed_)
        return;
    if (!file_) {
        auto answer = store_.apply(command, Store::Clock::now());
        if (!store_.pending().empty()) {
            store_.commit();
            wait_for_expiry();
            tell();
        }
        return done(std::move(answer));
    }
    if (job_bytes_ > most_waiting_bytes)
        return done({.code = "disk",
                     .reason = fmt::format("{} MiB of changes wait to be written to {} already",
                                           most_waiting_bytes / (1024UL * 1024), file_->path())});
    job_bytes_ += bytes_of(command);
    jobs_.push_back({.command = std::move(command), .done = std::move(done)});
    write_soon();
}

void StoreKeeper::close()
{
    is_closed_ = true;
    expiry_.cancel();
    jobs_.clear();
    on_change_ = {};
    if (!is_writing_)
        file_.reset();
}

void StoreKeeper::write_soon()
{
    if (!std::exchange(is_writing_, true))
        spawn(expiry_.get_executor(), write_jobs(), shared_from_this());
}

/// As many changes at a time as have come while those before were written.
asio::awaitable<void> StoreKeeper::write_jobs()
{
    while (!is_closed_ && (!jobs_.empty() || is_expiring_)) {
        const auto clocks = ClockPair::now();
        if (std::exchange(is_expiring_, false))
            store_.expire(clocks.steady);
        std::vector<std::pair<Done, Store::Answer>> answers;
        std::size_t bytes = 0;
        while (!jobs_.empty() && bytes < most_bytes_at_once) {
            auto& job = jobs_.front();
            bytes += bytes_of(job.command);
            answers.emplace_back(std::move(job.done), store_.apply(job.command, clocks.steady));
            jobs_.pop_front();
        }
        job_bytes_ -= bytes;
        std::string records;
        for (const auto& change : store_.pending())
            records += encode_record(change, clocks);
        const auto error = co_await write(std::move(records));
        if (is_closed_)
            break;
        std::string trouble;
        if (error) {
            store_.roll_back();
            // What an answer says of other changes is not so either.
            for (auto& [done, answer] : answers)
                answer = {.code = "disk",
                          .reason = fmt::format("{}: {}", file_->path(), error.message())};
            if (!std::exchange(is_failing_, true))
                trouble = fmt::format("changes of the store cannot be written to {}, and are "
                                      "refused: {}",
                                      file_->path(), error.message());
        } else {
            store_.commit();
            if (std::exchange(is_failing_, false))
                trouble =
                    fmt::format("changes of the store are written to {} again", file_->path());
        }
        for (auto& [done, answer] : answers)
            done(std::move(answer));
        tell(trouble);
        if (!error)
            co_await rewrite();
        wait_for_expiry();
    }
    is_writing_ = false;
    if (is_closed_)
        file_.reset();
}

asio::awaitable<std::error_code> StoreKeeper::write(std::string records)
{
    if (records.empty())
        co_return std::error_code{};
    auto append = [file = file_, records = std::move(records)] { file->append(records); };
    try {
        co_await on_helper_thread(std::move(append));
    } catch (const boost::system::system_error&) { // the loop is to end
        is_closed_ = true;
    } catch (const std::system_error& e) {
        co_return e.code();
    }
    co_return std::error_code{};
}

/// Lets go of what is outdated.  If that fails, the file goes on growing, and it is tried again.
asio::awaitable<void> StoreKeeper::rewrite()
{
    if (!file_->wants_rewrite())
        co_return;
    const auto& entries = store_.entries();
    auto work = [file = file_, revision = store_.revision(),
                 all = StoreFile::Entries{entries.begin(), entries.end()}] {
        file->rewrite(all, revision);
    };
    try {
        co_await on_helper_thread(std::move(work));
    } catch (const boost::system::system_error&) { // the loop is to end
        is_closed_ = true;
    } catch (const std::system_error& e) {
        file_->postpone_rewrite();
        tell(fmt::format("the store's file {} cannot be written anew, and grows: {}", file_->path(),
                         e.code().message()));
    }
}

void StoreKeeper::expire()
{
    if (file_) {
        is_expiring_ = true;
        return write_soon();
    }
    store_.expire(Store::Clock::now());
    if (!store_.pending().empty()) {
        store_.commit();
        tell();
    }
    wait_for_expiry();
}

void StoreKeeper::wait_for_expiry()
{
    auto next = store_.next_expiry();
    if (!next || is_closed_ || expiry_.expiry() == *next)
        return;
    if (is_failing_) // what has expired cannot be written either
        next = std::max(*next, Store::Clock::now() + retry_interval);
    expiry_.expires_at(*next);
    expiry_.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
        const auto self = weak.lock();
        if (cancelled || !self || self->is_closed_)
            return;
        self->expiry_.expires_at({});
        self->expire();
    });
}

void StoreKeeper::tell(const std::string& trouble)
{
    if (on_change_)
        on_change_(trouble);
}

} // namespace usher
