// SPDX-License-Identifier: MIT
#include "balancer/dialect/preload/preloadable.hpp"

#include "common/sys/fd/unique_fd.hpp"
#include "common/sys/syscall.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace usher {

namespace {

namespace fs = std::filesystem;

/// Nothing if it is no regular file, or cannot be read.
sys::UniqueFd open_file(const fs::path& file)
{
    // A FIFO would hold us up, and so would a lease (fcntl(2)).
    sys::UniqueFd fd{::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) < 0 || !S_ISREG(status.st_mode))
        return {};
    return fd;
}

/// What is there of 4 KiB from `offset` on: enough for its headers, its first line, or its notes.
std::string read_at(const sys::UniqueFd& file, std::uint64_t offset)
{
    std::string text(file ? 4096 : 0, '\0');
    const auto size = sys::retry_on_eintr(
        [&] { return ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(offset)); });
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return text;
}

/// Reads a struct at `offset`; false if the file's head ends before it does.
template <typename Struct>
bool read_struct(std::string_view head, std::size_t offset, Struct& out)
{
    if (offset > head.size() || head.size() - offset < sizeof out)
        return false;
    std::memcpy(&out, head.data() + offset, sizeof out);
    return true;
}

/// True if the notes of a segment have one of Go's linker in them, its build id.
bool is_of_go(std::string_view notes)
{
    constexpr std::string_view go{"Go\0\0", 4};
    const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
    ElfW(Nhdr) note{};
    for (std::size_t offset = 0; read_struct(notes, offset, note);) {
        offset += sizeof note;
        if (offset < notes.size() && notes.substr(offset, note.n_namesz) == go)
            return true;
        offset += padded(note.n_namesz) + padded(note.n_descsz);
    }
    return false;
}

std::string elf_obstacle(const sys::UniqueFd& file, std::string_view head)
{
    if (head.size() < EI_NIDENT)
        return {};
    constexpr int bits = __ELF_NATIVE_CLASS;
    if (head[EI_CLASS] != (bits == 64 ? ELFCLASS64 : ELFCLASS32))
        return fmt::format("is a program of {} bits, and the library is for {}; use a build for {}",
                           96 - bits, bits, bits);
    ElfW(Ehdr) header{};
    if (!read_struct(head, 0, header))
        return {};
    bool is_dynamic = false;
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        ElfW(Phdr) segment{};
        if (!read_struct(head, header.e_phoff + i * sizeof segment, segment))
            return {}; // headers elsewhere than at the start: who knows
        is_dynamic |= segment.p_type == PT_INTERP;
        if (segment.p_type == PT_NOTE &&
            is_of_go(read_at(file, segment.p_offset).substr(0, segment.p_filesz)))
            return "is a Go program, which makes its system calls itself, so that nothing is seen "
                   "of them; have it speak the worker protocol (dialect native), or take its "
                   "sockets as from systemd (dialect listen-fds)";
    }
    if (is_dynamic)
        return {};
    return "is statically linked, so that nothing can be preloaded into it; link it dynamically, "
           "or have it speak the worker protocol (dialect native)";
}

/// The program that `#!` names, and for env(1) the one that it will find.
fs::path interpreter_of(std::string_view head)
{
    std::istringstream line{std::string{head.substr(2, head.find('\n') - 2)}};
    std::string interpreter;
    std::string word;
    line >> interpreter;
    if (fs::path{interpreter}.filename() != "env")
        return interpreter;
    while (line >> word && (word.starts_with('-') || word.find('=') != std::string::npos)) {
    }
    const char* const path = std::getenv("PATH");
    std::istringstream folders{path != nullptr ? path : "/usr/bin:/bin"};
    for (std::string folder; std::getline(folders, folder, ':');)
        if (::access((fs::path{folder} / word).c_str(), X_OK) == 0)
            return fs::path{folder} / word;
    return {};
}

bool gains_privileges(const fs::path& file)
{
    struct stat status {};
    if (::stat(file.c_str(), &status) < 0)
        return false;
    const bool other_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != ::geteuid();
    const bool other_group = (status.st_mode & S_ISGID) != 0 && status.st_gid != ::getegid();
    return other_user || other_group ||
           ::getxattr(file.c_str(), "security.capability", nullptr, 0) > 0;
}

} // namespace

std::string preload_obstacle(const std::string& file, const std::string& cwd, bool no_new_privs)
{
    fs::path program = fs::path{cwd} / file;
    constexpr int deepest = 5; // the kernel follows as many
    for (int depth = 0; depth < deepest; ++depth) {
        const auto opened = open_file(program);
        const auto head = read_at(opened, 0);
        if (head.starts_with("#!")) {
            program = fs::path{cwd} / interpreter_of(head);
            continue;
        }
        if (!no_new_privs && gains_privileges(program))
            return program.string() +
                   " is set-user-id or has capabilities, and the loader preloads nothing into such "
                   "programs; set \"no_new_privs\": true if it can do without them";
        if (head.starts_with(ELFMAG))
            if (const auto obstacle = elf_obstacle(opened, head); !obstacle.empty())
                return program.string() + " " + obstacle;
        break;
    }
    return {};
}

} // namespace usher
