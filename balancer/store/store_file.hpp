// SPDX-License-Identifier: MIT
#pragma once

#include "balancer/store/store.hpp"
#include "common/sys/fd/trusted_place.hpp"
#include "common/sys/fd/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace usher {

/// The file in which a store survives its master: changes are appended, and now and then all is
/// written anew.  Everything here may wait for a disk, so it is called on helper threads, by one at
/// a time.  What append() has written is on the disk when it returns.
///
/// What it throws says in one sentence which file it is about: std::system_error where the system
/// has no more to give, else std::runtime_error.
class StoreFile {
public:
    /// Opens the file, or makes it, and locks it as long as this lives.
    ///
    /// Throws: another usher has it, others may change it, or its content is damaged; then it is
    /// left as it is.
    explicit StoreFile(std::string path);

    /// Throws what the constructor would throw, and changes nothing.  With `may_be_in_use` another
    /// usher may have it.  Returns what note() would say of one that nobody has.
    static std::string check(const std::string& path, bool may_be_in_use);

    /// What was in it when it was opened, once.
    [[nodiscard]] Store::Content take_content() { return std::exchange(content_, {}); }

    /// What is to be said of how it was found: a clause that goes on after its name; mostly empty.
    [[nodiscard]] const std::string& note() const noexcept { return note_; }

    /// Writes `records` behind `committed`, which it has in it.  If it may not have, it is written
    /// anew before.  Returns to what is to be said of that, as note() does.
    ///
    /// If it throws, `records` are not in it, unless the machine loses its power before the next
    /// call succeeds.
    std::string append(std::string_view records, const Store& committed);

    /// Has nothing in it but `committed` from now on.  Throws as append().
    void rewrite(const Store& committed) { write_anew(committed.entries(), committed.revision()); }

    /// Writing anew could not even be begun: it is tried again when as much has come.
    void postpone_rewrite() noexcept { fresh_size_ = size_; }

    /// True if most of what is in it is outdated.
    [[nodiscard]] bool wants_rewrite() const noexcept;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    /// What is there under its path.
    enum class There { itself, nothing, another };

    void open();
    void read();
    [[nodiscard]] There look() const;
    void write_anew(const Store::Entries& entries, std::uint64_t revision);
    void write(int fd, std::string_view bytes) const;
    void sync_folder() const;

    std::string path_;
    sys::Place place_;
    sys::UniqueFd fd_;
    std::uint64_t size_ = 0;       ///< of what is known to be whole
    std::uint64_t fresh_size_ = 0; ///< as it was written last
    bool is_unsure_ = false;       ///< whether that is on the disk, and nothing behind it
    Store::Content content_;
    std::string note_;
};

} // namespace usher
