// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace usher {

/// The file in which a store survives its master: changes are appended, and now and then all is
/// written anew.  Everything here may wait for a disk, so it is called on helper threads, by one at
/// a time.  What append() has written is on the disk when it returns.
class StoreFile {
public:
    using Entries = std::vector<std::pair<std::string, Store::Entry>>;

    /// Opens the file, or makes it, and locks it as long as this lives.
    ///
    /// Throws std::runtime_error: another usher has it, others may change it, or its content is
    /// damaged; then it is left as it is.
    explicit StoreFile(std::string path);

    /// What was in it when it was opened, once.
    [[nodiscard]] std::vector<Store::Change> take_changes() { return std::exchange(changes_, {}); }

    /// What is to be said of how it was found: a clause that goes on after its name; mostly empty.
    [[nodiscard]] const std::string& note() const noexcept { return note_; }

    /// Throws std::system_error; then the file is as before.
    void append(std::string_view records);

    /// Has nothing in it but `entries` from now on; `revision` is the store's.  Throws as append().
    void rewrite(const Entries& entries, std::uint64_t revision);

    /// Writing anew could not even be begun: it is tried again when as much has come.
    void postpone_rewrite() noexcept { fresh_size_ = size_; }

    /// True if most of what is in it is outdated.
    [[nodiscard]] bool wants_rewrite() const noexcept;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    void write(int fd, std::string_view bytes) const;
    void sync_folder() const;

    std::string path_;
    sys::Place place_;
    sys::UniqueFd fd_;
    std::uint64_t size_ = 0;       ///< of what is known to be whole
    std::uint64_t fresh_size_ = 0; ///< as it was written last
    bool is_torn_ = false;         ///< there may be more than that
    std::vector<Store::Change> changes_;
    std::string note_;
};

} // namespace usher
