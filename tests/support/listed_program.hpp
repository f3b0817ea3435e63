// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/temp_dir.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace usher::test {

/// A row of the table of programs in docs/dialects.md.
struct ListedProgram {
    /// How it is asked, and how its answer says who gives it.
    enum class Speech {
        http,      ///< in the header X-Slot
        mute_http, ///< not at all
        redis,     ///< by process_id
    };

    /// How a connection ends at a reload that a client keeps for further requests.
    enum class KeepAlive {
        unknown,
        unused, ///< each answer is its connection's last
        told,   ///< by an answer that says so
        idle,   ///< while no answer is owed; a request may be on its way, and is to be sent again
        cut,    ///< at `drain_timeout`, perhaps within an answer
    };

    struct File {
        std::string name;
        std::string text;
    };

    struct Link {
        std::string name;
        std::string target;
    };

    std::string name;

    /// As somebody types it in a folder that lay_out() has filled.
    std::string command;

    /// What usher finds.
    std::string dialect;

    /// Where it listens by itself; a native program has to be told by usher's `--listen`.
    std::uint16_t port;

    std::vector<File> files = {};
    std::vector<Link> links = {};
    Speech speech = Speech::http;

    /// Keys of its pool with which a reload cuts off nobody, as in JSON; empty: none is needed.
    std::string for_reload = {};

    /// With these keys.  Of a program with KeepAlive::idle a request for /slow takes a while, and
    /// each that is begun is a line of the file `begun`.
    KeepAlive keep_alive = KeepAlive::unknown;
};

/// All of them, in the order of the table.
[[nodiscard]] const std::vector<ListedProgram>& listed_programs();

/// The words of its command.
[[nodiscard]] std::vector<std::string> words_of(const ListedProgram& program);

/// Puts into `folder` what the program wants to find.
void lay_out(const ListedProgram& program, const TempDir& folder);

/// Goes into `folder`, with all that the programs need in PATH: for a child between fork and exec.
void enter(const TempDir& folder);

} // namespace usher::test
