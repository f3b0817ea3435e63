// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"
#include "balancer/store/store_file.hpp"
#include "balancer/store/store_queue.hpp"
#include "common/async/rate_limit.hpp"
#include "common/log.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

namespace usher {

/// Carries out what is asked of a store, one change after the other, and erases what has expired.
/// With a file, changes are seen and answered once they are on the disk; those that come meanwhile
/// wait, and are written together.
class StoreKeeper final : public std::enable_shared_from_this<StoreKeeper> {
public:
    using Done = std::function<void(Store::Answer)>;

    /// Hears that there are new changes that all may know, and answers; and what has gone wrong
    /// with the file, or is right again, a sentence, if `news` is not empty.
    using OnChange = std::function<void(log::Level level, const std::string& news)>;

    StoreKeeper(const boost::asio::any_io_executor& executor, const StoreConfig& limits);
    StoreKeeper(const StoreKeeper&) = delete;
    StoreKeeper& operator=(const StoreKeeper&) = delete;

    void watch(OnChange on_change) { on_change_ = std::move(on_change); }

    [[nodiscard]] const Store& store() const noexcept { return *store_; }
    void set_limits(const StoreConfig& limits) { store_->set_limits(limits); }

    /// What `file` has is in the store, and what changes is written to it.  Once, before anybody
    /// uses the store.
    void adopt(std::shared_ptr<StoreFile> file);

    [[nodiscard]] bool has_file() const noexcept { return file_ != nullptr; }

    /// Calls `done` with the answer, at once or later.
    void submit(Store::Command command, Done done);

    /// Nothing more is done, and nobody is answered; the file is free.
    void close();

private:
    [[nodiscard]] boost::asio::awaitable<void> write_jobs();
    [[nodiscard]] boost::asio::awaitable<std::string> write(std::string records);
    [[nodiscard]] boost::asio::awaitable<void> rewrite();
    void write_soon();
    void expire();
    void wait_for_expiry();
    void tell(log::Level level = log::Level::info, const std::string& news = {});
    [[nodiscard]] std::string news_of_failure(const std::string& problem);
    [[nodiscard]] std::string news_of_success();

    /// What is committed does not change while helper threads write it, since only write_jobs(),
    /// which waits for them, commits anything then.  They have their share: one that hangs may
    /// outlive this.
    std::shared_ptr<Store> store_;
    OnChange on_change_;
    boost::asio::steady_timer expiry_;
    std::shared_ptr<StoreFile> file_; ///< null: none
    StoreQueue jobs_;                 ///< that wait for the file
    bool is_writing_ = false;
    bool is_expiring_ = false; ///< something has expired while the file was written
    bool is_failing_ = false;  ///< the file, and that was said
    RateLimit failures_;       ///< that are said: a disk that is nearly full has room now and then
    bool is_closed_ = false;
};

} // namespace usher
