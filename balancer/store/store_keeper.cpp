// SPDX-License-Identifier: MIT
#include "balancer/store/store_keeper.hpp"

#include "balancer/store/store_record.hpp"
#include "common/async/helper_thread.hpp"
#include "common/async/spawn.hpp"

#include <fmt/core.h>

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

namespace asio = boost::asio;

namespace usher {

namespace {

/// What is written with one fdatasync(2), and done in one turn of the event loop.
constexpr std::size_t most_bytes_at_once = 256UL * 1024;
constexpr std::size_t most_changes_at_once = 512;

/// With a file that cannot be written.
constexpr std::chrono::seconds retry_interval{1};

} // namespace

StoreKeeper::StoreKeeper(const asio::any_io_executor& executor, const StoreConfig& limits)
    : store_{std::make_shared<Store>(limits)}, expiry_{executor}
{
}

void StoreKeeper::adopt(std::shared_ptr<StoreFile> file)
{
    file_ = std::move(file);
    store_->adopt(file_->take_content());
    wait_for_expiry();
}

void StoreKeeper::submit(Store::Command command, Done done)
{
    if (is_closed_)
        return;
    if (!file_) {
        auto answer = store_->apply(command, Store::Clock::now());
        if (!store_->pending().empty()) {
            store_->commit();
            wait_for_expiry();
            tell();
        }
        return done(std::move(answer));
    }
    if (!jobs_.has_room(command.owner))
        return done({.code = "disk",
                     .reason = fmt::format("{} changes or {} MiB of {} wait to be written to {} "
                                           "already",
                                           StoreQueue::most_changes,
                                           StoreQueue::most_bytes / (1024UL * 1024), command.owner,
                                           file_->path())});
    jobs_.push({.command = std::move(command), .done = std::move(done)});
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
    while (!is_closed_ && (!jobs_.is_empty() || is_expiring_)) {
        const auto clocks = ClockPair::now();
        if (std::exchange(is_expiring_, false))
            store_->expire(clocks.steady);
        std::vector<std::pair<Done, Store::Answer>> answers;
        std::size_t bytes = 0;
        while (!jobs_.is_empty() && bytes < most_bytes_at_once &&
               answers.size() < most_changes_at_once) {
            auto job = jobs_.pop();
            bytes += job.bytes();
            answers.emplace_back(std::move(job.done), store_->apply(job.command, clocks.steady));
        }
        std::string records;
        for (const auto& change : store_->pending())
            records += encode_record(change, clocks);
        const bool is_change = !records.empty();
        const auto problem = co_await write(std::move(records));
        if (is_closed_)
            break;
        const auto level = problem.empty() ? log::Level::info : log::Level::error;
        std::string news;
        if (!problem.empty()) {
            store_->roll_back();
            // What an answer says of other changes is not so either.
            for (auto& [done, answer] : answers)
                answer = {.code = "disk", .reason = problem};
            news = news_of_failure(problem);
        } else {
            store_->commit();
            if (is_change)
                news = news_of_success();
        }
        for (auto& [done, answer] : answers)
            done(std::move(answer));
        tell(level, news);
        if (problem.empty())
            co_await rewrite();
        wait_for_expiry();
    }
    is_writing_ = false;
    if (is_closed_)
        file_.reset();
}

/// Returns to why it could not be.
asio::awaitable<std::string> StoreKeeper::write(std::string records)
{
    if (records.empty()) { // others have their turn even so
        co_await asio::post(expiry_.get_executor(), asio::deferred);
        co_return std::string{};
    }
    auto append = [file = file_, store = std::shared_ptr<const Store>{store_},
                   records = std::move(records)] { return file->append(records, *store); };
    try {
        if (const auto note = co_await on_helper_thread(std::move(append)); !note.empty())
            tell(log::Level::error, fmt::format("the store's file {} {}", file_->path(), note));
    } catch (const boost::system::system_error&) { // the loop is to end
        is_closed_ = true;
    } catch (const std::exception& e) {
        co_return e.what();
    }
    co_return std::string{};
}

/// Lets go of what is outdated.  If that fails, the file goes on growing, and it is tried again.
asio::awaitable<void> StoreKeeper::rewrite()
{
    if (!file_->wants_rewrite())
        co_return;
    auto work = [file = file_, store = std::shared_ptr<const Store>{store_}] {
        file->rewrite(*store);
    };
    try {
        co_await on_helper_thread(std::move(work));
    } catch (const boost::system::system_error&) { // the loop is to end
        is_closed_ = true;
    } catch (const std::exception& e) {
        file_->postpone_rewrite();
        tell(log::Level::error, std::string{"a store's file grows: "} + e.what());
    }
}

void StoreKeeper::expire()
{
    if (file_) {
        is_expiring_ = true;
        return write_soon();
    }
    store_->expire(Store::Clock::now());
    if (!store_->pending().empty()) {
        store_->commit();
        tell();
    }
    wait_for_expiry();
}

void StoreKeeper::wait_for_expiry()
{
    auto next = store_->next_expiry();
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

void StoreKeeper::tell(log::Level level, const std::string& news)
{
    if (on_change_)
        on_change_(level, news);
}

std::string StoreKeeper::news_of_failure(const std::string& problem)
{
    if (is_failing_ || !failures_.take(RateLimit::Clock::now()))
        return {};
    is_failing_ = true;
    return "changes of a store are refused: " + problem;
}

std::string StoreKeeper::news_of_success()
{
    return std::exchange(is_failing_, false)
               ? fmt::format("changes of the store are written to {} again", file_->path())
               : std::string{};
}

} // namespace usher
