//! `antiphon permissions`, run.

use crate::stage::antiphon;

const DATE: &str = "2026-08-07";
const PAGE: &str = "https://learn.microsoft.com/graph/permissions-reference";

#[tokio::test]
async fn an_endpoint_is_looked_up_in_every_format_with_date_and_page() {
    let endpoint = ["permissions", "POST", "/v1.0/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896/answer"];
    for format in ["table", "json", "csv"] {
        let words: Vec<&str> = endpoint.iter().copied().chain(["--format", format]).collect();
        let run = antiphon(&words, &[], None).await;
        assert_eq!(run.code, 0, "{run:?}");
        for word in ["Calls.JoinGroupCall.All", "Calls.JoinGroupCallAsGuest.All", DATE, PAGE] {
            assert!(run.out.contains(word), "{format}: {word}: {}", run.out);
        }
        assert!(!run.out.contains("redirect"), "{}", run.out);
    }
}

#[tokio::test]
async fn what_matches_nothing_is_an_error_that_says_so() {
    let run = antiphon(&["permissions", "PATCH", "/v1.0/communications/calls/c"], &[], None).await;
    run.fails(&["no row", "PATCH /v1.0/communications/calls/c"]);
    antiphon(&["permissions", "nonsense"], &[], None).await.fails(&["nonsense"]);
}
