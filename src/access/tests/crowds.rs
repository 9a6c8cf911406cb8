//! Many requests at once, and floods of tokens that are none.

use super::*;

/// T60
#[tokio::test]
async fn of_1000_first_uses_at_once_one_looks_up() {
    let scene = Arc::new(Scene::new());
    let token = scene.token("g1", "all");
    let uses: Vec<_> = (0..1000)
        .map(|_| {
            let (scene, token) = (Arc::clone(&scene), token.clone());
            tokio::spawn(async move { scene.present(&token).await.is_ok() })
        })
        .collect();
    for used in uses {
        assert!(used.await.expect("no panic"));
    }
    assert_eq!(scene.store.look_ups(), 1);
}

/// T60
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_1000_requests_at_once_with_an_unknown_token_one_looks_up() {
    for _ in 0..20 {
        let scene = Arc::new(Scene::new());
        let token = scene.stranger();
        let requests: Vec<_> = (0..1000)
            .map(|_| {
                let (scene, token) = (Arc::clone(&scene), token.clone());
                tokio::spawn(async move { scene.denied(&token).await })
            })
            .collect();
        for request in requests {
            assert_eq!(request.await.expect("no panic"), Denial::InactiveToken);
        }
        assert_eq!(scene.store.look_ups(), 1);
    }
}

/// T62
#[tokio::test]
async fn known_tokens_that_fill_the_memory_stay_under_a_flood_of_unknown_ones() {
    let scene = Scene::new();
    // As many as the cache keeps: one that came beside them would have to take the place of another.
    let good: Vec<_> = (0..1000).map(|number| scene.token(&format!("g{number}"), "all")).collect();
    for token in &good {
        scene.present(token).await.expect("permitted");
    }
    let mut hits = 0;
    for token in &good {
        for _ in 0..20 {
            assert_eq!(scene.denied(&scene.stranger()).await, Denial::InactiveToken);
        }
        hits += usize::from(scene.present(token).await.expect("permitted").cached);
    }
    assert_eq!(hits, good.len());
}

/// T62
#[tokio::test]
async fn a_flood_of_random_tokens_pushes_no_good_one_out_of_memory() {
    let scene = Scene::new();
    let good: Vec<_> = (0..500).map(|number| scene.token(&format!("g{number}"), "all")).collect();
    for token in &good {
        scene.present(token).await.expect("permitted");
    }
    for number in 0..100_000 {
        assert_eq!(scene.denied(&format!("emp_at_{number:064}")).await, Denial::MalformedToken);
    }
    assert_eq!(scene.store.look_ups(), 500, "junk is no work for the store");
    for _ in 0..20_000 {
        assert_eq!(scene.denied(&scene.stranger()).await, Denial::InactiveToken);
    }
    let asked = scene.store.look_ups();
    for token in &good {
        assert!(scene.present(token).await.expect("permitted").cached);
    }
    assert_eq!(scene.store.look_ups(), asked);
}
