//! The time intervals of the alerting configuration: which there are, which routes tell nothing in them or nothing outside of them, and whether
//! they are on now. Alertmanager's status has the routes, and no word of this.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use muster_alert::routing::{IntervalRange, MONTHS, Period, Route, TimeInterval, WEEKDAYS};
use serde_json::{Map, Value, json};

use super::body::answer;
use crate::state::State;

pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    let now_ms = state.now().millis();
    let config = state.alerting.ask(|desk| Arc::clone(desk.routing().config()));
    let routes = config.route.all();
    let intervals: Vec<Value> = config.intervals.iter().map(|one| interval_json(one, &routes, now_ms)).collect();
    answer(StatusCode::OK, json!({"now_ms": now_ms, "intervals": intervals}))
}

fn interval_json(interval: &TimeInterval, routes: &[&Route], now_ms: i64) -> Value {
    let used = |how: fn(&Route) -> &Vec<String>| -> Vec<Value> {
        let using = routes.iter().filter(|route| how(route).contains(&interval.name));
        using.map(|route| json!({"route": route.id, "receiver": route.receiver})).collect()
    };
    json!({
        "name": interval.name,
        "periods": interval.periods.iter().map(period_json).collect::<Vec<_>>(),
        "mutes": used(|route| &route.mute),
        "activates": used(|route| &route.active),
        "is_on": interval.is_on(now_ms),
        "next_change_ms": interval.next_change_ms(now_ms),
    })
}

/// A period with the keys and words of the configuration; what it does not say is left out, and stands for every time.
fn period_json(period: &Period) -> Value {
    let mut json = Map::new();
    let times = |spans: &Vec<IntervalRange>| -> Value {
        let time = |minute: i32| format!("{:02}:{:02}", minute / 60, minute % 60);
        spans.iter().map(|span| json!({"start_time": time(span.from), "end_time": time(span.to)})).collect()
    };
    json.extend(period.times.as_ref().map(|spans| ("times".to_owned(), times(spans))));
    let word = |words: &'static [&'static str], first: i32| {
        move |value: i32| match usize::try_from(value - first).ok().and_then(|place| words.get(place)) {
            Some(word) => (*word).to_owned(),
            None => value.to_string(),
        }
    };
    let mut put = |key: &str, spans: &Option<Vec<IntervalRange>>, word: &dyn Fn(i32) -> String| {
        let text = |span: &IntervalRange| match span.from == span.to {
            true => word(span.from),
            false => format!("{}:{}", word(span.from), word(span.to)),
        };
        json.extend(spans.as_ref().map(|spans| (key.to_owned(), spans.iter().map(text).collect::<Value>())));
    };
    put("weekdays", &period.weekdays, &word(&WEEKDAYS, 0));
    put("days_of_month", &period.days_of_month, &|day| day.to_string());
    put("months", &period.months, &word(&MONTHS, 1));
    put("years", &period.years, &|year| year.to_string());
    json.insert("location".to_owned(), period.zone.iana_name().unwrap_or("UTC").into());
    json.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_written_as_it_was_configured() {
        let spans = |from, to| Some(vec![IntervalRange { from, to }]);
        let period = Period {
            times: spans(9 * 60, 24 * 60),
            weekdays: Some(vec![IntervalRange { from: 1, to: 5 }, IntervalRange { from: 0, to: 0 }]),
            days_of_month: spans(-3, -1),
            months: spans(5, 8),
            ..Period::default()
        };
        let expect = json!({
            "times": [{"start_time": "09:00", "end_time": "24:00"}], "weekdays": ["monday:friday", "sunday"],
            "days_of_month": ["-3:-1"], "months": ["may:august"], "location": "UTC",
        });
        assert_eq!(period_json(&period), expect);
    }
}
