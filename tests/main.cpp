// SPDX-License-Identifier: MIT
//
// doctest's own main(), but that nothing to run is a failure: a test whose suite is misspelled
// would pass for ever.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

namespace {

unsigned cases_run = 0;

struct CaseCounter : doctest::IReporter {
    explicit CaseCounter(const doctest::ContextOptions& /*options*/) {}

    void test_run_end(const doctest::TestRunStats& stats) override
    {
        cases_run = stats.numTestCasesPassingFilters;
    }

    void report_query(const doctest::QueryData& /*data*/) override {}
    void test_run_start() override {}
    void test_case_start(const doctest::TestCaseData& /*data*/) override {}
    void test_case_reenter(const doctest::TestCaseData& /*data*/) override {}
    void test_case_end(const doctest::CurrentTestCaseStats& /*stats*/) override {}
    void test_case_exception(const doctest::TestCaseException& /*error*/) override {}
    void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData& /*data*/) override {}
    void log_message(const doctest::MessageData& /*data*/) override {}
    void test_case_skipped(const doctest::TestCaseData& /*data*/) override {}
};

} // namespace

DOCTEST_REGISTER_LISTENER("case_counter", 0, CaseCounter);

int main(int argc, char** argv)
{
    doctest::Context context{argc, argv};
    const int result = context.run();
    if (context.shouldExit()) // it was only asked something
        return result;
    if (cases_run == 0) {
        std::fprintf(stderr, "%s: no test case is of that name\n", argv[0]);
        return 1;
    }
    return result;
}
