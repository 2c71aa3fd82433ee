pub struct Workout {
    pub minutes: u32,
    pub calories: u32,
}

pub fn weekly_average(workouts: &[Workout]) -> u32 {
    let total: u32 = workouts.iter().map(|w| w.minutes).sum();
    total / workouts.len() as u32
}

pub fn calories(workouts: &[Workout]) -> u32 {
    workouts.iter().map(|w| w.calories).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week() -> Vec<Workout> {
        vec![Workout { minutes: 30, calories: 240 }, Workout { minutes: 45, calories: 400 }]
    }

    #[test]
    fn average_is_rounded_down() {
        assert_eq!(weekly_average(&week()), 37);
    }

    #[test]
    fn calories_add_up() {
        assert_eq!(calories(&week()), 640);
    }
}
