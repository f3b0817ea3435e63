// SPDX-License-Identifier: MIT
#include "balancer/store/store_file.hpp"

#include "balancer/store/store_record.hpp"
#include "common/sys/process/trusted_user.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

constexpr std::uint64_t largest_file = 4ULL * 1024 * 1024 * 1024;
constexpr std::uint64_t smallest_rewrite = 1024UL * 1024;

[[noreturn]] void refuse(const std::string& path, std::string_view problem)
{
    throw std::runtime_error{fmt::format("the store's file {} {}", path, problem)};
}

[[noreturn]] void fail(const std::string& path)
{
    throw std::system_error{sys::last_error(), path};
}

std::string read_all(int fd, std::uint64_t size, const std::string& path)
{
    std::string content;
    content.resize(size);
    std::size_t have = 0;
    while (have < size) {
        const auto got = sys::retry_on_eintr([&] {
            return ::pread(fd, content.data() + have, size - have, static_cast<off_t>(have));
        });
        if (got < 0)
            fail(path);
        if (got == 0)
            break;
        have += static_cast<std::size_t>(got);
    }
    content.resize(have);
    return content;
}

/// What a file of the same content would have if it were written anew, about.
std::uint64_t fresh_size_of(const std::vector<Store::Change>& changes)
{
    constexpr std::uint64_t each = 80; // numbers, names of members
    std::map<std::string_view, std::uint64_t> sizes;
    for (const auto& change : changes)
        if (change.entry)
            sizes.insert_or_assign(change.key, each + change.key.size() +
                                                   change.entry->owner.size() +
                                                   change.entry->value->size());
        else
            sizes.erase(change.key);
    std::uint64_t sum = store_file_header.size();
    for (const auto& [key, size] : sizes)
        sum += size;
    return sum;
}

} // namespace

StoreFile::StoreFile(std::string path) : path_{std::move(path)}
{
    if (const auto error = sys::find_place(path_, place_))
        throw std::system_error{error, path_};
    if (place_.strangers == sys::Strangers::change)
        refuse(path_,
               "is in a folder in which others may exchange it; choose one that only usher's "
               "own user may write");
    // Else a FIFO that nobody reads would hold us.
    fd_ = place_.open(O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY | O_APPEND, 0600);
    struct stat file {};
    if (!fd_ || ::fstat(fd_.get(), &file) < 0)
        fail(path_);
    if (!S_ISREG(file.st_mode))
        refuse(path_, "is no regular file");
    if (!sys::is_trusted_owner(file.st_uid) ||
        (place_.strangers != sys::Strangers::none && file.st_nlink != 1))
        refuse(path_, "belongs to somebody else");
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) < 0)
        refuse(path_, errno == EWOULDBLOCK ? "is in use by another usher; give each its own"
                                           : "cannot be locked");
    const auto size = static_cast<std::uint64_t>(file.st_size);
    if (size > largest_file)
        refuse(path_, "is larger than 4 GiB, so it is no store of usher's");

    const auto content = read_all(fd_.get(), size, path_);
    auto records = decode_records(content, ClockPair::now());
    if (!records.problem.empty())
        refuse(path_, records.problem +
                          "; it was left as it is. Bring it back from a copy, or move it away to "
                          "begin with an empty store");
    changes_ = std::move(records.changes);
    size_ = records.good_size;
    fresh_size_ = fresh_size_of(changes_);
    if (records.good_size < content.size()) {
        is_torn_ = true;
        note_ =
            fmt::format("its last {} bytes were not written to the end, as by a crash, and were "
                        "cut off",
                        content.size() - records.good_size);
    }
    // What append() needs is there before anybody relies on it.
    if (size_ == 0) {
        is_torn_ = true;
        append(store_file_header);
        sync_folder();
    } else {
        append({});
    }
}

/// Nothing is left of what could not be written whole: behind it nothing more could be read.
void StoreFile::append(std::string_view records)
{
    if (is_torn_) {
        if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) < 0)
            fail(path_);
        is_torn_ = false;
    }
    if (records.empty())
        return;
    is_torn_ = true;
    try {
        write(fd_.get(), records);
        if (::fdatasync(fd_.get()) < 0)
            fail(path_);
    } catch (const std::system_error&) {
        if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) == 0)
            is_torn_ = false;
        throw;
    }
    is_torn_ = false;
    size_ += records.size();
}

void StoreFile::write(int fd, std::string_view bytes) const
{
    while (!bytes.empty()) {
        const auto written =
            sys::retry_on_eintr([&] { return ::write(fd, bytes.data(), bytes.size()); });
        if (written < 0)
            fail(path_);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

void StoreFile::rewrite(const Entries& entries, std::uint64_t revision)
{
    constexpr std::size_t piece = 1024UL * 1024;
    const auto name = place_.name + ".new";
    const int folder = place_.folder.get();
    ::unlinkat(folder, name.c_str(), 0); // of an attempt that did not come to its end
    sys::UniqueFd fd{::openat(folder, name.c_str(),
                              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0600)};
    try {
        if (!fd)
            fail(path_ + ".new");
        const auto clocks = ClockPair::now();
        std::uint64_t size = 0;
        std::string text{store_file_header};
        const auto put = [&](std::size_t most) {
            if (text.size() <= most)
                return;
            write(fd.get(), text);
            size += text.size();
            text.clear();
        };
        for (const auto& [key, entry] : entries) {
            text += encode_record({.key = key, .revision = entry.revision, .entry = entry}, clocks);
            put(piece);
        }
        if (revision > 0)
            text += encode_record({.revision = revision}, clocks);
        put(0);
        if (::fsync(fd.get()) < 0 || ::flock(fd.get(), LOCK_EX | LOCK_NB) < 0 ||
            ::renameat(folder, name.c_str(), folder, place_.name.c_str()) < 0)
            fail(path_);
        fd_ = std::move(fd);
        size_ = fresh_size_ = size;
        is_torn_ = false;
    } catch (const std::system_error&) {
        ::unlinkat(folder, name.c_str(), 0);
        fresh_size_ = size_; // it is tried again when as much has come
        throw;
    }
    sync_folder();
}

/// Else a crash of the machine could bring back the file that was there before.
void StoreFile::sync_folder() const
{
    const sys::UniqueFd folder{
        ::openat(place_.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder)
        ::fsync(folder.get());
}

bool StoreFile::wants_rewrite() const noexcept
{
    return size_ > std::max(smallest_rewrite, 2 * fresh_size_);
}

} // namespace usher
