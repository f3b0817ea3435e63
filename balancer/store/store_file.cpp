// SPDX-License-Identifier: MIT
#include "balancer/store/store_file.hpp"

#include "balancer/store/store_record.hpp"
#include "common/sys/process/trusted_user.hpp"
#include "common/sys/socket/accept.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <tuple>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace usher {

namespace {

constexpr std::uint64_t largest_file = 4ULL * 1024 * 1024 * 1024;
constexpr std::uint64_t smallest_rewrite = 1024UL * 1024;

constexpr auto in_use = "is in use, by another pool or another usher; give each its own";

/// What is opened stays what it is, and nobody is waited for.
constexpr int safe_flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

[[noreturn]] void refuse(const std::string& path, std::string_view problem)
{
    throw std::runtime_error{fmt::format("the store's file {} {}", path, problem)};
}

/// Because of `error`; `what` was to be done.
[[noreturn]] void fail(const std::string& path, std::string_view what, std::error_code error,
                       std::string_view remedy = {})
{
    const auto sentence = fmt::format("the store's file {} cannot be {}", path, what);
    if (sys::is_out_of_resources(error) || error == std::errc::no_space_on_device)
        throw std::system_error{error, sentence};
    throw std::runtime_error{fmt::format("{}: {}{}", sentence, error.message(), remedy)};
}

[[noreturn]] void fail_to_open(const std::string& path, std::error_code error)
{
    fail(path, "opened", error,
         error == std::errc::no_such_file_or_directory
             ? "; make its folder, which only usher's own user may write"
             : "; choose one in a folder that only usher's own user may write");
}

sys::Place find_store_place(const std::string& path)
{
    sys::Place place;
    if (const auto error = sys::find_place(path, place))
        fail_to_open(path, error);
    if (place.strangers == sys::Strangers::change)
        refuse(path, "is in a folder in which others may exchange it; choose one that only usher's "
                     "own user may write");
    // It is written anew beside the old one.
    if (::faccessat(place.folder.get(), ".", W_OK | X_OK, AT_EACCESS) < 0)
        fail(path, "written anew in its folder", sys::last_error(),
             "; let usher's own user write there");
    return place;
}

/// Returns to how large it is.
std::uint64_t check_file(const std::string& path, const sys::Place& place, int fd)
{
    struct stat file {};
    if (::fstat(fd, &file) < 0)
        fail_to_open(path, sys::last_error());
    if (!S_ISREG(file.st_mode))
        refuse(path, "is no regular file; name one, or one that is not there yet");
    if (!sys::is_trusted_owner(file.st_uid) ||
        (place.strangers != sys::Strangers::none && file.st_nlink != 1))
        refuse(path, "belongs to somebody else; chown it to usher's own user");
    if ((file.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        refuse(path, "can be written by others than its owner; chmod it go-w");
    const auto size = static_cast<std::uint64_t>(file.st_size);
    if (size > largest_file)
        refuse(path, "is larger than 4 GiB, so it is no store of usher's; name another");
    return size;
}

std::string read_all(const std::string& path, int fd, std::uint64_t size)
{
    std::string content;
    content.resize(size);
    std::size_t have = 0;
    while (have < size) {
        const auto got = sys::retry_on_eintr([&] {
            return ::pread(fd, content.data() + have, size - have, static_cast<off_t>(have));
        });
        if (got < 0)
            fail(path, "read", sys::last_error());
        if (got == 0)
            break;
        have += static_cast<std::size_t>(got);
    }
    content.resize(have);
    return content;
}

/// Returns to how much of `text` counts; what it says is in `content` then.
std::size_t decode(const std::string& path, std::string_view text, Store::Content& content)
{
    const auto verdict =
        decode_file(text, ClockPair::now(),
                    [&content](const Store::Change& change) { content.restore(change); });
    if (!verdict.problem.empty())
        refuse(path, verdict.problem +
                         "; it was left as it is. Bring it back from a copy, or move it away to "
                         "begin with an empty store");
    return verdict.good_size;
}

std::string describe_cut(std::size_t bytes)
{
    return fmt::format("its last {} bytes were not written to the end, as by a crash, and are cut "
                       "off",
                       bytes);
}

/// Whoever may read the old file may read the new one; nobody may write it.
void keep_access(int old_fd, int new_fd)
{
    constexpr mode_t readable = 0644;
    struct stat old {};
    if (::fstat(old_fd, &old) == 0 && ::fchown(new_fd, static_cast<uid_t>(-1), old.st_gid) == 0)
        std::ignore = ::fchmod(new_fd, old.st_mode & readable);
}

/// What a file would have if it were written anew, about.
std::uint64_t fresh_size_of(const Store::Content& content)
{
    constexpr std::uint64_t each = 80; // numbers, names of members, the owner
    return store_file_header.size() + content.size.bytes + each * content.entries.size();
}

} // namespace

StoreFile::StoreFile(std::string path) : path_{std::move(path)}
{
    open();
    read();
}

std::string StoreFile::check(const std::string& path, bool may_be_in_use)
{
    const auto place = find_store_place(path);
    const auto fd = place.open(O_RDONLY | safe_flags);
    if (!fd && errno == ENOENT)
        return {}; // it will be made
    if (!fd)
        fail_to_open(path, sys::last_error());
    const auto size = check_file(path, place, fd.get());
    if (::faccessat(place.folder.get(), place.name.c_str(), W_OK, AT_EACCESS) < 0)
        fail_to_open(path, sys::last_error());
    const bool is_in_use = ::flock(fd.get(), LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (is_in_use && !may_be_in_use)
        refuse(path, in_use);
    Store::Content content;
    const auto text = read_all(path, fd.get(), size);
    const auto good_size = decode(path, text, content);
    return is_in_use || good_size == text.size() ? "" : describe_cut(text.size() - good_size);
}

void StoreFile::open()
{
    // Whoever had it before us may have written it anew since, and what we have locked is gone.
    do {
        place_ = find_store_place(path_);
        fd_ = place_.open(O_RDWR | O_CREAT | O_APPEND | safe_flags, 0600);
        if (!fd_)
            fail_to_open(path_, sys::last_error());
        check_file(path_, place_, fd_.get());
        if (::flock(fd_.get(), LOCK_EX | LOCK_NB) < 0) {
            if (errno == EWOULDBLOCK)
                refuse(path_, in_use);
            fail(path_, "locked", sys::last_error(), "; choose one on another file system");
        }
    } while (look() != There::itself);
}

/// What append() needs is there before anybody relies on it.
void StoreFile::read()
{
    const auto text = read_all(path_, fd_.get(), check_file(path_, place_, fd_.get()));
    size_ = decode(path_, text, content_);
    fresh_size_ = fresh_size_of(content_);
    if (text.empty())
        return write_anew({}, 0);
    if (size_ != text.size()) {
        note_ = describe_cut(text.size() - size_);
        if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) < 0)
            fail(path_, "cut to what is whole", sys::last_error());
    }
    // Whoever has written it may have been killed before the last of it was on the disk.
    if (::fdatasync(fd_.get()) < 0)
        fail(path_, "written to the disk", sys::last_error());
}

StoreFile::There StoreFile::look() const
{
    struct stat own {};
    struct stat there {};
    if (::fstat(fd_.get(), &own) < 0)
        fail(path_, "found", sys::last_error());
    if (::stat(path_.c_str(), &there) < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            fail(path_, "found", sys::last_error());
        return There::nothing;
    }
    return own.st_dev == there.st_dev && own.st_ino == there.st_ino ? There::itself
                                                                    : There::another;
}

std::string StoreFile::append(std::string_view records, const Store& committed)
{
    std::string note;
    const auto there = look();
    if (there == There::another)
        refuse(path_, "is not the one there any more, but another, which is left as it is; move "
                      "that away and all is written there, or start usher anew with it");
    if (there == There::nothing) {
        place_ = find_store_place(path_);
        note = "was gone, and was written anew";
    }
    if (there == There::nothing || is_unsure_)
        rewrite(committed);

    const auto batch = encode_batch(records, size_);
    is_unsure_ = true;
    try {
        write(fd_.get(), batch);
    } catch (const std::runtime_error&) {
        // What is before it is on the disk already, and behind it nothing more could be read.
        is_unsure_ = ::ftruncate(fd_.get(), static_cast<off_t>(size_)) < 0;
        throw;
    }
    // Once this has failed, the kernel may take for written what is not, and a second try would
    // succeed: nothing but another file is sure then.
    if (::fdatasync(fd_.get()) < 0) {
        const auto error = sys::last_error();
        std::ignore = ::ftruncate(fd_.get(), static_cast<off_t>(size_)); // so far as it goes
        fail(path_, "written to the disk", error);
    }
    is_unsure_ = false;
    size_ += batch.size();
    return note;
}

void StoreFile::write(int fd, std::string_view bytes) const
{
    while (!bytes.empty()) {
        const auto written =
            sys::retry_on_eintr([&] { return ::write(fd, bytes.data(), bytes.size()); });
        if (written < 0)
            fail(path_, "written", sys::last_error());
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

void StoreFile::write_anew(const Store::Entries& entries, std::uint64_t revision)
{
    constexpr std::size_t piece = 1024UL * 1024;
    const auto name = "." + place_.name + ".usher-writes"; // nobody else's
    const int folder = place_.folder.get();
    ::unlinkat(folder, name.c_str(), 0); // of an attempt that did not come to its end
    sys::UniqueFd fd{::openat(folder, name.c_str(),
                              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0600)};
    if (!fd) {
        fresh_size_ = size_;
        fail(path_, "written anew", sys::last_error());
    }
    try {
        keep_access(fd_.get(), fd.get());
        const auto clocks = ClockPair::now();
        write(fd.get(), store_file_header);
        std::uint64_t size = store_file_header.size();
        std::string records;
        const auto put = [&] {
            if (records.empty())
                return;
            const auto batch = encode_batch(records, size);
            write(fd.get(), batch);
            size += batch.size();
            records.clear();
        };
        for (const auto& [key, entry] : entries) {
            records +=
                encode_record({.key = key, .revision = entry.revision, .entry = entry}, clocks);
            if (records.size() >= piece)
                put();
        }
        put();
        // A batch of its own, so that damage of what is before it is never taken for a torn end.
        if (revision > 0)
            records = encode_record({.revision = revision}, clocks);
        put();
        if (::fsync(fd.get()) < 0 || ::flock(fd.get(), LOCK_EX | LOCK_NB) < 0 ||
            ::renameat(folder, name.c_str(), folder, place_.name.c_str()) < 0)
            fail(path_, "written anew", sys::last_error());
        fd_ = std::move(fd);
        size_ = fresh_size_ = size;
    } catch (const std::runtime_error&) {
        ::unlinkat(folder, name.c_str(), 0);
        fresh_size_ = size_; // it is tried again when as much has come
        throw;
    }
    is_unsure_ = true;
    sync_folder();
    is_unsure_ = false;
}

/// Else a crash of the machine could bring back the file that was there before.
void StoreFile::sync_folder() const
{
    const sys::UniqueFd folder{
        ::openat(place_.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const int done = folder ? ::fsync(folder.get()) : ::syncfs(fd_.get()); // it may be unreadable
    if (done < 0 && errno != EINVAL) // of a file system that does so by itself
        fail(path_, "kept in its folder", sys::last_error());
}

bool StoreFile::wants_rewrite() const noexcept
{
    return size_ > std::max(smallest_rewrite, 2 * fresh_size_);
}

} // namespace usher
