// @ts-check
/** Every component under one import. */

export { Badge } from "./badge.js";
export { Button, ButtonLink } from "./button.js";
export { Card } from "./card.js";
export { CopyButton } from "./copy-button.js";
export { Confirm, Dialog } from "./dialog.js";
export { EmptyState } from "./empty-state.js";
export { Checkbox, Field, Select, Switch, TextInput } from "./field.js";
export { Figure } from "./figure.js";
export { Icon } from "./icon.js";
export { Loading } from "./loading.js";
export { Menu } from "./menu.js";
export { ProblemBox } from "./problem-box.js";
export { Progress } from "./progress.js";
export { Ago, Bytes, Loss } from "./quantity.js";
export { Segmented } from "./segmented.js";
export { Slider } from "./slider.js";
export { Table } from "./table.js";
export { TabPanel, Tabs } from "./tabs.js";
export { toast } from "./toast.js";
export { Tooltip } from "./tooltip.js";
