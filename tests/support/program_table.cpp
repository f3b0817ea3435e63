// SPDX-License-Identifier: MIT
#include "tests/support/program_table.hpp"

#include "tests/support/listed_program.hpp"

namespace usher::test {

namespace {

std::string text_of(ListedProgram::KeepAlive keep_alive)
{
    using KeepAlive = ListedProgram::KeepAlive;
    switch (keep_alive) {
    case KeepAlive::unused:
        return "with each answer";
    case KeepAlive::told:
        return "with an answer";
    case KeepAlive::idle:
        return "when it is idle";
    case KeepAlive::cut:
        return "at `drain_timeout`";
    case KeepAlive::unknown:
        break;
    }
    return "";
}

std::string line_of(const ListedProgram& program)
{
    return "| " + program.name + " | `usher run -- " + program.command + "` | " + program.dialect +
           " | " + (program.for_reload.empty() ? "nothing" : "`" + program.for_reload + "`") +
           " | " + text_of(program.keep_alive) + " |\n";
}

} // namespace

std::string program_table()
{
    std::string table =
        "| program | command | dialect | for a clean reload, set | a kept connection ends |\n"
        "| --- | --- | --- | --- | --- |\n";
    for (const auto& program : listed_programs())
        table += line_of(program);
    return table;
}

} // namespace usher::test
