// SPDX-License-Identifier: MIT
#pragma once

#include "tests/support/http_client.hpp"
#include "tests/support/listed_program.hpp"

#include <cstdint>
#include <string>

namespace usher::test {

/// A connection to a listed program, for one question.  What the program does not answer as it
/// should throws std::runtime_error.
class ProgramClient {
public:
    ProgramClient(const ListedProgram& program, std::uint16_t port);

    /// Sends half of the question, so that a worker waits for the other half.
    void begin();

    /// Asks what has not been asked yet, and returns who answers: a text that is the same for one
    /// worker always and for two never, or nothing if the program does not say.
    [[nodiscard]] std::string finish();

private:
    HttpClient client_;
    ListedProgram::Speech speech_;
    std::string question_;
};

/// Asks once, on a connection of its own.
[[nodiscard]] std::string ask(const ListedProgram& program, std::uint16_t port);

} // namespace usher::test
