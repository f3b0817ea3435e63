// SPDX-License-Identifier: MIT
#include "balancer/store/store_feed.hpp"

#include "balancer/store/store_line.hpp"

#include <memory>

namespace usher {

namespace {

Store::Text shared_text(std::string line)
{
    return std::make_shared<const std::string>(std::move(line));
}

} // namespace

Store::Text StoreFeed::next()
{
    if (phase_ == Phase::beginning) {
        phase_ = Phase::entries;
        has_last_key_ = false;
        told_ = store_->revision(); // what changes meanwhile is told after the entries
        return shared_text(encode_snapshot(told_, store_->entries().size()));
    }
    if (phase_ == Phase::entries) {
        // Before what has changed meanwhile is forgotten; a copy knows by the revisions what is
        // new.
        if (2 * (store_->revision() - told_) > store_->recent_count())
            if (auto line = store_->recent(told_ + 1)) {
                ++told_;
                return line;
            }
        const auto& entries = store_->entries();
        const auto entry = has_last_key_ ? entries.upper_bound(last_key_) : entries.begin();
        if (entry != entries.end()) {
            last_key_ = entry->first;
            has_last_key_ = true;
            return shared_text(encode_set(entry->first, entry->second));
        }
        phase_ = Phase::catching_up;
    }
    if (told_ < store_->revision()) {
        if (auto line = store_->recent(told_ + 1)) {
            ++told_;
            return line;
        }
        phase_ = Phase::beginning;
        return next(); // NOLINT(misc-no-recursion): once
    }
    if (phase_ == Phase::following)
        return nullptr;
    phase_ = Phase::following;
    return shared_text(encode_synced(told_));
}

} // namespace usher
