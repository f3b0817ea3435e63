// SPDX-License-Identifier: MIT
#include "tests/support/program_table.hpp"

#include "tests/support/listed_program.hpp"

namespace usher::test {

namespace {

std::string text_of(ListedProgram::KeepAlive keep_alive)
{
    switch (keep_alive) {
    case ListedProgram::KeepAlive::unused:
        return "with each answer";
    case ListedProgram::KeepAlive::told:
        return "with an answer";
    case ListedProgram::KeepAlive::idle:
        return "when it is idle";
    case ListedProgram::KeepAlive::cut:
        return "at `drain_timeout`";
    case ListedProgram::KeepAlive::unknown:
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
